"""The evaluation as a program: on procedural scenes, stopped and resumed, with broken files."""

import json

import numpy as np
import pytest

from configs import default
from expocm_jax import image_io
from expocm_jax.errors import UserError
from expocm_jax.evaluation import methods, scoring
from expocm_jax.evaluation.methods import WeightsSource
from expocm_jax.programs import evaluate
from input_pipeline import source
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")
SMALL = dict(protocols=["headroom"], metrics=["psnr_mu"], size=16)
ONE = SMALL | dict(cameras=["training"])  # camera, of the three that take photos by default


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
  return small_run.save_untrained(tmp_path_factory.mktemp("weights") / "untrained.safetensors")


@pytest.fixture
def three_scenes(monkeypatch):
  monkeypatch.setitem(source.PROCEDURAL_SCENES, "test", 3)


def scores(folder, region="all"):
  """PSNR-mu of each method, image by image, as the report has it."""
  images = json.loads((folder / "scores.json").read_text())["images"]
  of = images[0]["scores"]
  return {m: [i["scores"][m]["headroom"][f"psnr_mu/{region}"] for i in images] for m in of}


def test_an_untrained_network_scores_as_the_linearised_input(untrained, three_scenes, tmp_path):
  record = evaluate.main(
    small_run.config(),
    weights=[WeightsSource(untrained, name="net")],
    output=tmp_path,
    views=2,
    **ONE,
  )
  assert len(record["images"]) == 6 and record["main"] == "net"
  assert record["methods"]["net"]["sha256"] and "psnr" not in record["command"]
  result = scores(tmp_path)
  assert list(result) == ["linear", "bt2446c", "akyuz", "net"]
  np.testing.assert_allclose(result["net"], result["linear"], atol=0.5)
  first = record["images"][0]
  ldr, hdr = image_io.read_ldr(tmp_path / first["files"]["ldr"]), first["files"]["reference"]
  assert sum(first["pixels"][r] for r in ("clipped", "dark", "well_exposed")) == ldr[..., 0].size
  linear = methods.untrained("linear", headroom=16.0).predict(ldr, 0)
  pair = (linear, image_io.read_hdr(tmp_path / hdr))
  a, b = (np.log1p(5000 * np.clip(x / 16, 0, 1)) / np.log1p(5000) for x in pair)
  mse = np.mean((a - b) ** 2)
  assert result["linear"][0] == pytest.approx(-10 * np.log10(mse), abs=1e-3)
  for name in ("scores.md", "scores.tex", "report.html"):
    assert (tmp_path / name).stat().st_size > 500


def test_the_validation_split_is_another(three_scenes, tmp_path, monkeypatch):
  monkeypatch.setitem(source.PROCEDURAL_SCENES, "validation", 2)
  arguments = dict(weights=[], methods=["linear"], **ONE)
  test = evaluate.main(small_run.config(), output=tmp_path / "test", **arguments)
  held = evaluate.main(
    small_run.config(), output=tmp_path / "held", split="validation", **arguments
  )
  assert (len(test["images"]), len(held["images"])) == (3, 2)
  assert "validation" in held["title"] and "validation" not in test["title"]
  assert not set(scores(tmp_path / "test")["linear"]) & set(scores(tmp_path / "held")["linear"])
  with pytest.raises(UserError, match="another setting .split."):
    evaluate.main(small_run.config(), output=tmp_path / "test", split="validation", **arguments)


def test_a_stopped_evaluation_goes_on(three_scenes, tmp_path, monkeypatch, capsys):
  arguments = dict(weights=[], output=tmp_path, methods=["linear"], **ONE)
  score, calls = scoring.Comparison.__call__, []

  def interrupted(self, *images, seed):
    calls.append(seed)
    if len(calls) == 3:
      raise KeyboardInterrupt
    return score(self, *images, seed=seed)

  monkeypatch.setattr(scoring.Comparison, "__call__", interrupted)
  with pytest.raises(KeyboardInterrupt):
    evaluate.main(small_run.config(), **arguments)
  assert "the same command goes on" in capsys.readouterr().err
  assert not (tmp_path / "scores.json").exists()
  record = evaluate.main(small_run.config(), **arguments)
  assert len(calls) == 4 and len(record["images"]) == 3  # two before, the third alone after
  (tmp_path / record["images"][1]["files"]["output"]).unlink()
  evaluate.main(small_run.config(), **arguments)
  assert len(calls) == 5  # the one whose picture was lost
  with pytest.raises(UserError, match=r"another setting \(seed\)"):
    evaluate.main(small_run.config(), **arguments | {"seed": 1})


def test_every_camera_photographs_every_view_under_one_reading(three_scenes, tmp_path):
  config, arguments = small_run.config(), dict(weights=[], methods=["linear"])
  metrics = ["psnr_mu", "light", "fidelity"]
  record = evaluate.main(
    config, output=tmp_path / "all", **arguments | SMALL | {"metrics": metrics}
  )
  assert list(record["cameras"]) == ["training", "srgb", "filmic"]
  taken = [(image["name"], image["camera"]) for image in record["images"]]
  assert len(set(taken)) == 9 and [camera for _, camera in taken] == [*record["cameras"]] * 3
  summary = json.loads((tmp_path / "all" / "scores.json").read_text())["summary"]
  assert (summary["images"], summary["scenes"]) == (9, 3)
  of = {
    camera: {key: entry["mean"] for key, entry in s["scores"]["headroom"]["linear"].items()}
    for camera, s in summary["cameras"].items()
  }
  for values in of.values():
    assert values["fidelity/well_exposed"] < 1e-3 and values["light/clipped"] < 0
  lines = (tmp_path / "all" / "scores.md").read_text().splitlines()
  assert any(line.startswith("| filmic ") for line in lines)
  assert "- camera `srgb`: exactly sRGB, display reading" in lines

  # One alone: the same photos.
  for name in ("display", "camera"):
    some = SMALL | dict(cameras=["filmic"], reading=name, metrics=metrics)
    alone = evaluate.main(config, output=tmp_path / name, **arguments | some)
    assert len(alone["images"]) == 3 and list(alone["cameras"]) == ["filmic"]
    files = [alone["images"][0]["files"], record["images"][2]["files"]]
    folders = (tmp_path / name, tmp_path / "all")
    same = [
      np.array_equal(*(read(folder / f[kind]) for folder, f in zip(folders, files, strict=True)))
      for kind, read in (("ldr", image_io.read_ldr), ("reference", image_io.read_hdr))
    ]
    assert same == [name == "display"] * 2
    assert ("camera reading" in alone["dataset"]) == (name == "camera")
    assert "| camera" not in (tmp_path / name / "scores.md").read_text()


@pytest.mark.parametrize("change", [{"crop": 24}, {"projection": "photo"}])
def test_scores_of_other_views_are_not_kept(change, three_scenes, tmp_path):
  arguments = dict(weights=[], output=tmp_path, methods=["linear"], **ONE | {"size": None})
  config = small_run.config()
  evaluate.main(config, **arguments)
  config.data.update(change)
  with pytest.raises(UserError, match="another setting"):
    evaluate.main(config, **arguments)


def test_metrics_of_other_programs_see_absolute_light(three_scenes, tmp_path, monkeypatch):
  class Largest:
    """Stands in for HDR-VDP-3."""

    version = "largest, 1.0"

    def __init__(self, folder):
      assert folder == "vdp"

    def score(self, pred_nits, ref_nits):
      assert pred_nits.shape == ref_nits.shape == (16, 16, 3)
      return float(ref_nits.max())

  monkeypatch.setattr(scoring, "HdrVdp3", Largest)
  record = evaluate.main(small_run.config(), weights=[], methods=[], output=tmp_path,
                         hdrvdp="vdp", **ONE | {"protocols": ["mu-refmax"]})  # fmt: skip
  assert record["versions"]["hdrvdp3"] == "largest, 1.0"
  for image in record["images"]:
    assert image["scores"]["linear"]["mu-refmax"]["hdrvdp3/all"] == pytest.approx(1000)


def test_a_result_with_nan_is_not_a_missing_region(three_scenes, tmp_path, monkeypatch):
  broken = methods.untrained("linear", headroom=16.0)._replace(
    name="broken", predict=lambda ldr, seed: np.where(ldr > 0.5, np.nan, ldr)
  )
  monkeypatch.setattr(evaluate, "compared_methods", lambda *a, **k: {"broken": broken})
  with pytest.raises(UserError, match="broken: .* are not finite"):
    evaluate.main(small_run.config(), weights=[], output=tmp_path, **ONE)


def write_pair(root, name, seed, *, sun=2.0, size=16):
  rng = np.random.default_rng(seed)
  hdr = rng.uniform(0.1, 0.9, (16, 16, 3)).astype(np.float32)
  hdr[4:6, 4:6] = sun
  (root / "ldr").mkdir(parents=True, exist_ok=True)
  (root / "hdr").mkdir(exist_ok=True)
  image_io.write_png(root / "ldr" / f"{name}.png", np.clip(hdr, 0, 1)[:size] ** (1 / 2.2))
  image_io.write_hdr(root / "hdr" / f"{name}.exr", hdr, exr_dtype="float")


def pairs_config(root):
  config = default.get_config()
  config.data.update(source="pairs", root=str(root))
  return config


def test_the_reference_is_not_cut_at_the_headroom(tmp_path):
  write_pair(tmp_path / "pairs", "a", 0, sun=500.0)
  arguments = dict(metrics=["psnr_mu"], protocols=["headroom", "mu-refmax"])
  record = evaluate.main(
    pairs_config(tmp_path / "pairs"), weights=[], output=tmp_path / "out", **arguments
  )
  files = record["images"][0]["files"]
  ref = image_io.read_hdr(tmp_path / "out" / files["reference"]).astype(np.float64)
  assert ref.max() > 400
  ldr = image_io.read_ldr(tmp_path / "out" / files["ldr"])
  pred = methods.untrained("linear", headroom=16.0).predict(ldr, 0)
  encode = lambda x: np.log1p(5000 * x) / np.log1p(5000)
  wanted = {
    "headroom": encode(np.minimum(pred / 16, 1)) - encode(np.minimum(ref / 16, 1)),
    "mu-refmax": encode(pred / ref.max()) - encode(ref / ref.max()),
  }
  for protocol, error in wanted.items():
    got = record["images"][0]["scores"]["linear"][protocol]["psnr_mu/all"]
    assert got == pytest.approx(-10 * np.log10(np.mean(error**2)), abs=1e-2)


def test_resuming_knows_each_image(tmp_path, capsys):
  root = tmp_path / "pairs"
  arguments = dict(weights=[], methods=[], output=tmp_path / "out", **SMALL | {"size": None})
  for name in "abc":
    write_pair(root, name, ord(name))
  first = evaluate.main(pairs_config(root), **arguments)
  (root / "ldr" / "a.png").unlink()
  (root / "hdr" / "a.exr").unlink()
  write_pair(root, "b", 99)  # edited
  write_pair(root, "d", ord("d"))
  second = evaluate.main(pairs_config(root), **arguments)
  assert [image["name"] for image in second["images"]] == ["b", "c", "d"]
  before, after = (
    {image["name"]: image["scores"]["linear"]["headroom"]["psnr_mu/all"] for image in r["images"]}
    for r in (first, second)
  )
  assert after["c"] == before["c"] and after["b"] != before["b"]


def test_broken_pairs_are_left_out_and_told(tmp_path, capsys):
  root = tmp_path / "pairs"
  for name in "abcd":
    write_pair(root, name, ord(name), size=12 if name == "b" else 16)
  (root / "hdr" / "c.exr").write_bytes(b"no image")
  with pytest.raises(UserError, match="2 of 4 images were left out"):
    evaluate.main(pairs_config(root), weights=[], output=tmp_path / "out", **SMALL | {"size": None})
  error = capsys.readouterr().err
  assert "b.exr: LDR and HDR differ in size" in error and "c.exr" in error
  assert len(scores(tmp_path / "out")["linear"]) == 2
  assert "2 of 4 images" in (tmp_path / "out" / "scores.md").read_text()
  for path in (root / "hdr").iterdir():
    path.write_bytes(b"no image")
  with pytest.raises(UserError, match="none of 4 images"):
    evaluate.main(pairs_config(root), weights=[], output=tmp_path / "none", **SMALL)


def test_data_that_is_not_there(tmp_path):
  for root, words in ((tmp_path / "nowhere", "nowhere"), (tmp_path, "no LDR/HDR pairs")):
    with pytest.raises(UserError, match=words):
      evaluate.main(pairs_config(root), weights=[], output=tmp_path / "out", **SMALL)
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", [{"cameras": ["srgb"]}, {"reading": "camera"}])
def test_photos_on_disk_have_no_cameras(flag, tmp_path):
  write_pair(tmp_path / "pairs", "a", 0)
  arguments = SMALL | {"size": None} | flag
  with pytest.raises(UserError, match=f"--{next(iter(flag))}: data.source=pairs has photos"):
    evaluate.main(
      pairs_config(tmp_path / "pairs"), weights=[], output=tmp_path / "out", **arguments
    )


MISTAKES = {
  "camera": (dict(cameras=["srgb", "phone"]), "unknown camera 'phone'; choose from training, srgb"),
  "method": (dict(methods=["magic"]), "'magic'"),
  "protocol": (dict(protocols=["loud"]), "'loud'"),
  "metric": (dict(metrics=["beauty"]), "'beauty'"),
  "size": (dict(metrics=["ssim_mu"], size=8), "at least 11 pixels"),
  "twice": (dict(weights=2 * [WeightsSource("tiny")]), "two methods of that name"),
  "weights": (dict(weights=[WeightsSource("nowhere")]), "nowhere"),
  "a sampler of one step": (dict(weights=[WeightsSource("tiny", "ddim-5")]), "leave it out"),
  "HDR-VDP-3": (dict(hdrvdp="nowhere"), "nowhere"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told_before_anything_is_written(case, tmp_path):
  changes, words = MISTAKES[case]
  arguments = dict(weights=[], output=tmp_path / "out", **ONE) | changes
  with pytest.raises(UserError, match=words):
    evaluate.main(small_run.config(), **arguments)
  assert not (tmp_path / "out").exists()
