"""The evaluation as a program: on procedural scenes, stopped and resumed, with broken files."""

import json

import jax
import numpy as np
import pytest
import small_run

from configs import default
from expocm_jax import comparison, evaluate, image_io, predictors, weights
from expocm_jax.errors import UserError
from expocm_jax.method import Method
from input_pipeline import origin, procedural

pytestmark = pytest.mark.usefixtures("quick_compiles")
SMALL = dict(protocol_names=["headroom"], metric_names=["psnr_mu"], size=16)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
  config = small_run.config()
  path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
  weights.save_weights(path, Method.from_config(config).init_params(jax.random.key(0)), config)
  return path


@pytest.fixture
def three_scenes(monkeypatch):
  monkeypatch.setitem(origin.PROCEDURAL_SCENES, "test", 3)


def scores(folder, region="all"):
  """PSNR-mu of each method, image by image, as the report has it."""
  images = json.loads((folder / "scores.json").read_text())["images"]
  methods = images[0]["scores"]
  return {m: [i["scores"][m]["headroom"][f"psnr_mu/{region}"] for i in images] for m in methods}


def test_an_untrained_network_scores_as_the_linearised_input(untrained, three_scenes, tmp_path):
  record = evaluate.main(
    small_run.config(), weights=[f"net={untrained}"], output=tmp_path, views=2, **SMALL
  )
  assert len(record["images"]) == 6 and record["main"] == "net"
  assert record["methods"]["net"]["sha256"] and "psnr" not in record["command"]
  result = scores(tmp_path)
  assert list(result) == ["linear", "bt2446c", "akyuz", "net"]
  np.testing.assert_allclose(result["net"], result["linear"], atol=0.5)
  first = record["images"][0]
  ldr, hdr = image_io.read_ldr(tmp_path / first["files"]["ldr"]), first["files"]["reference"]
  assert sum(first["pixels"][r] for r in ("clipped", "dark", "well_exposed")) == ldr[..., 0].size
  linear = predictors.untrained("linear").predict(ldr, 0)
  pair = (linear, image_io.read_hdr(tmp_path / hdr))
  a, b = (np.log1p(5000 * np.clip(x / 16, 0, 1)) / np.log1p(5000) for x in pair)
  mse = np.mean((a - b) ** 2)
  assert result["linear"][0] == pytest.approx(-10 * np.log10(mse), abs=0.02)  # half floats
  for name in ("scores.md", "scores.tex", "report.html"):
    assert (tmp_path / name).stat().st_size > 500


def test_a_stopped_evaluation_goes_on(three_scenes, tmp_path, monkeypatch):
  arguments = dict(weights=[], output=tmp_path, methods=["linear"], **SMALL)
  score, calls = comparison.Comparison.__call__, []

  def interrupted(self, *images, seed):
    calls.append(seed)
    if len(calls) == 3:
      raise KeyboardInterrupt
    return score(self, *images, seed=seed)

  monkeypatch.setattr(comparison.Comparison, "__call__", interrupted)
  with pytest.raises(KeyboardInterrupt):
    evaluate.main(small_run.config(), **arguments)
  assert not (tmp_path / "scores.json").exists()
  record = evaluate.main(small_run.config(), **arguments)
  assert len(calls) == 4 and len(record["images"]) == 3  # two before, the third alone after
  evaluate.main(small_run.config(), **arguments | {"seed": 1})
  assert len(calls) == 7  # other settings: nothing of before is used


def test_metrics_of_other_programs_see_absolute_light(three_scenes, tmp_path, monkeypatch):
  class Largest:
    """Stands in for HDR-VDP-3."""

    version = "largest, 1.0"

    def __init__(self, folder):
      assert folder == "vdp"

    def score(self, pred_nits, ref_nits):
      assert pred_nits.shape == ref_nits.shape == (16, 16, 3)
      return float(ref_nits.max())

  monkeypatch.setattr(comparison, "HdrVdp3", Largest)
  record = evaluate.main(small_run.config(), weights=[], methods=["linear"], output=tmp_path,
                         hdrvdp="vdp", **SMALL | {"protocol_names": ["mu-refmax"]})  # fmt: skip
  assert record["versions"]["hdrvdp3"] == "largest, 1.0"
  for image in record["images"]:
    assert image["scores"]["linear"]["mu-refmax"]["hdrvdp3/all"] == pytest.approx(1000)


@pytest.fixture
def folder_of_three(tmp_path):
  root = tmp_path / "scenes"
  root.mkdir()
  for index in range(3):
    radiance = procedural.ProceduralScenes(3)[index]["radiance"].astype(np.float32)
    image_io.write_hdr(root / f"{index}.exr", radiance)
  return root


def test_broken_files_are_left_out_and_told(folder_of_three, tmp_path, capsys):
  (folder_of_three / "1.exr").write_bytes(b"no image")
  config = default.get_config()
  config.data.root = str(folder_of_three)
  with pytest.raises(UserError, match="1 of 3 images were left out"):
    evaluate.main(config, weights=[], output=tmp_path / "out", **SMALL)
  assert "1.exr" in capsys.readouterr().err
  assert len(scores(tmp_path / "out")["linear"]) == 2
  assert "2 of 3 images" in (tmp_path / "out" / "scores.md").read_text()
  for path in folder_of_three.iterdir():
    path.write_bytes(b"no image")
  with pytest.raises(UserError, match="none of 3 images"):
    evaluate.main(config, weights=[], output=tmp_path / "none", **SMALL)


MISTAKES = {
  "method": (dict(methods=["magic"]), "'magic'"),
  "protocol": (dict(protocol_names=["loud"]), "'loud'"),
  "metric": (dict(metric_names=["beauty"]), "'beauty'"),
  "nothing": (dict(methods=[]), "--weights: none"),
  "twice": (dict(methods=["linear", "linear"]), "called linear"),
  "weights": (dict(weights=["nowhere"]), "nowhere"),
  "a sampler of one step": (dict(weights=["tiny:ddim-5"]), "leave it out"),
  "HDR-VDP-3": (dict(hdrvdp="nowhere"), "nowhere"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told_before_anything_is_written(case, tmp_path):
  changes, words = MISTAKES[case]
  arguments = dict(weights=[], output=tmp_path / "out", **SMALL) | changes
  with pytest.raises(UserError, match=words):
    evaluate.main(small_run.config(), **arguments)
  assert not (tmp_path / "out").exists()
