"""`--mode=inspect`: numbers against numpy, every file that cannot be read, what looks wrong."""

import numpy as np
import pytest

from configs import default
from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline import inspect, prepare
from tests.support import dataset_trees as trees


def make_config(root, key="folder", source="pairs"):
  config = default.get_config()
  config.data.update(source=source, root=str(root), dataset=key, workers=0)
  return config


def text(report):
  return "\n".join(inspect.report_lines(report))


def test_the_numbers_are_those_of_the_files(tmp_path):
  trees.si_hdr(tmp_path)
  trees.write(tmp_path / "input/clip_95/3.png", tmp_path / "reference/3.exr", 3, (8, 8), scale=40.0)
  report = inspect.inspect(make_config(tmp_path, "si_hdr"))
  files = sorted((tmp_path / "input").rglob("*.png"))
  values = [image_io.read_hdr(tmp_path / "reference" / f"{p.stem}.exr").ravel() for p in files]
  values = np.concatenate(values)
  assert report["hdr"]["min"] == values.min() and report["hdr"]["max"] == values.max()
  assert report["hdr"]["median"] == pytest.approx(np.median(values), rel=0.05)
  assert report["hdr"]["p99"] == pytest.approx(np.quantile(values, 0.99), rel=0.03)
  clipped = [(image_io.read_ldr(path).max(axis=-1) > 0.995).mean() for path in files]
  assert report["clipped"]["mean"] == pytest.approx(np.mean(clipped))
  assert report["ratio"]["median"] == pytest.approx(40.0, rel=0.05)
  assert report["stops"]["max"] == pytest.approx(2.0, abs=0.1)  # the ramp ends at 4
  assert report["sizes"] == {(18, 12): 4, (8, 8): 1}
  assert (report["records"], report["read"], report["failures"]) == (5, 5, [])
  assert report["splits"] == {"train": None, "validation": None, "test": 5}
  lines = text(report)
  assert "SI-HDR at" in lines and "layout: folders, paired by stem" in lines
  assert "18x12 (4 of 5), from 8x8 to 18x12" in lines
  assert "splits: train -, validation -, test 5" in lines
  assert "exposure ratio 40" in lines and "hardly" not in lines


def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(tmp_path, capsys):
  trees.aim2025(tmp_path)
  (tmp_path / "LDR_in/000001.jpg").write_bytes(b"\xff\xd8\xff broken")
  np.save(tmp_path / "HDR_gt/000000.npy", np.full((*trees.SIZE, 3), np.inf, np.float32))
  assert inspect.main(make_config(tmp_path, "aim2025")) == 2
  out, progress = capsys.readouterr()
  lines = out.splitlines()
  assert "read: 1, not readable: 2" in lines
  failures = [line for line in lines if line.startswith("cannot be read: ")]
  assert ["000000.npy" in failures[0], "000001.jpg" in failures[1]] == [True, True]
  assert "3/3" in progress and "image/s" in progress


def test_nothing_readable(tmp_path):
  trees.folder(tmp_path)
  for path in tmp_path.glob("ldr/*"):
    path.write_bytes(b"")
  report = inspect.inspect(make_config(tmp_path))
  assert report["hdr"] is None and len(report["failures"]) == 3
  assert "warning: no image could be read" in text(report)


def test_a_limit_is_spread_over_the_set(tmp_path):
  trees.scenes(tmp_path, count=5)
  (tmp_path / "00005/gt.hdr").write_bytes(b"#?RADIANCE")
  report = inspect.inspect(make_config(tmp_path, "hdr_eye"), limit=2)
  assert report["records"] == 5 and report["read"] + len(report["failures"]) == 2
  assert "00005" in report["failures"][0]


@pytest.mark.parametrize("source, key", [("hdr_folder", "folder"), ("pairs", "hdr_synth")])
def test_hdr_images_alone(tmp_path, source, key):
  trees.hdr_synth(tmp_path)
  report = inspect.inspect(make_config(tmp_path, key, source))
  assert report["clipped"] is report["ratio"] is report["pairing"] is None
  assert report["hdr"]["max"] > 7  # the file's scale
  assert "4 HDR images" in text(report) and "LDR: none on disk" in text(report)


def test_a_prepared_set_reads_like_its_source(tmp_path):
  trees.scenes(tmp_path / "set")
  config = make_config(tmp_path / "set", "hdr_eye")
  prepare.prepare(config, tmp_path / "out", views=1)
  report = inspect.inspect(config)
  prepared = inspect.inspect(make_config(tmp_path / "out", source="prepared"))
  for name in ("dataset", "hdr", "clipped", "ratio", "stops", "sizes", "read"):
    assert prepared[name] == report[name], name


def pairs_of(root, ldr, hdr):
  for number, (photo, truth) in enumerate(zip(ldr, hdr, strict=True)):
    for half in ("ldr", "hdr"):
      (root / half).mkdir(exist_ok=True)
    image_io.write_png(root / f"ldr/{number}.png", photo)
    image_io.write_hdr(root / f"hdr/{number}.exr", truth.astype(np.float32), exr_dtype="float")


def crossed(ldrs, hdrs):
  return ldrs, [truth[:, ::-1] for truth in hdrs]


@pytest.mark.parametrize(
  "spoil, warning",
  [
    (crossed, "4 of 4 pairs: photo and ground truth hardly show the same (0, 1, 2, 3)"),
    (lambda ldrs, hdrs: (ldrs, [truth ** (1 / 2.2) for truth in hdrs]), "looks gamma-encoded"),
    (lambda ldrs, hdrs: (ldrs, [truth / 8 for truth in hdrs]), "within [0, 1]"),
    (lambda ldrs, hdrs: (ldrs, [truth * 100 for truth in hdrs]), "exposure ratio 1"),
    (lambda ldrs, hdrs: ([x * 0 + 1 for x in ldrs], hdrs), "clipped nearly throughout"),
    (lambda ldrs, hdrs: ([x * 0.9 for x in ldrs], hdrs), "no LDR pixel is clipped"),
    (lambda ldrs, hdrs: (ldrs, [np.minimum(t, 1) for t in hdrs]), "nothing above its clip"),
    (lambda ldrs, hdrs: (ldrs, [t * 0 for t in hdrs]), "the HDR images are black"),
  ],
)
def test_what_looks_wrong_is_told(tmp_path, spoil, warning):
  scenes = [trees.scene(seed) for seed in range(4)]
  good = [list(column) for column in zip(*scenes, strict=True)]
  (tmp_path / "good").mkdir()
  pairs_of(tmp_path / "good", *good)
  (tmp_path / "bad").mkdir()
  pairs_of(tmp_path / "bad", *spoil(*good))
  assert inspect.inspect(make_config(tmp_path / "good"))["warnings"] == []
  warnings = inspect.inspect(make_config(tmp_path / "bad"))["warnings"]
  assert any(warning in line for line in warnings), warnings


def test_pairs_by_order_are_told_and_a_missing_set_is_a_mistake(tmp_path):
  trees.hdr_real(tmp_path)
  report = inspect.inspect(make_config(tmp_path, "hdr_real"))
  assert "folders and scenes, paired by sorted order and by file names" in text(report)
  assert any("look at a few pairs" in line for line in report["warnings"])
  assert report["splits"] == {"train": 2, "validation": 1, "test": 2}
  with pytest.raises(UserError, match="no such folder"):
    inspect.inspect(make_config(tmp_path / "nowhere"))
