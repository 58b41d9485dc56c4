"""Folders of pairs: layouts, splits, errors; the gain that sets the scale; random crops."""

import imagecodecs
import numpy as np
import pytest

from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline.datasets.pairs import PairFolder, clip_gain, crop_and_flip, reflect_to

SIZE = (24, 32)


def srgb(linear):
  linear = np.clip(linear, 0.0, 1.0)
  return np.where(
    linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
  )


def scene(seed, size=SIZE):
  """(ldr, hdr) [*size, 3] with 1.0 = clip: a ramp from the dark to four times white."""
  rng = np.random.default_rng(seed)
  ramp = np.geomspace(0.004, 4.0, size[1])[None, :, None]
  hdr = ramp * rng.uniform(0.7, 1.0, (*size, 3))
  return srgb(hdr).astype(np.float32), hdr.astype(np.float32)


def write(ldr_path, hdr_path, seed=0, size=SIZE, scale=1.0):
  ldr, hdr = scene(seed, size)
  for path in (ldr_path, hdr_path):
    path.parent.mkdir(parents=True, exist_ok=True)
  image_io.write_png(ldr_path, ldr)
  image_io.write_hdr(hdr_path, hdr * np.float32(scale))


def open_pairs(root, *, split, dataset="folder", validation_share=0.1):
  return PairFolder(root, dataset=dataset, split=split, validation_share=validation_share)


def make_folders(root, stems=("a", "b"), hdr_stems=None, halves=("LDR_in", "HDR_gt")):
  for number, (ldr, hdr) in enumerate(zip(stems, hdr_stems or stems, strict=True)):
    write(root / halves[0] / f"{ldr}.png", root / halves[1] / f"{hdr}.hdr", number)


@pytest.mark.parametrize("halves", [("LDR_in", "HDR_gt"), ("ldr", "HDR"), ("input", "reference")])
@pytest.mark.parametrize("below", ["", "archive"])
def test_two_folders_are_paired_by_stem(tmp_path, halves, below):
  make_folders(tmp_path / below, stems=("b", "a"), halves=halves)
  pairs = open_pairs(tmp_path, split="all")
  assert (pairs.layout, pairs.pairing, len(pairs)) == ("folders", "stem", 2)
  for index, (name, seed) in enumerate((("a", 1), ("b", 0))):
    record, (ldr, hdr) = pairs[index], scene(seed)
    assert record["name"] == name
    assert record["ldr"].dtype == record["hdr"].dtype == np.float32
    np.testing.assert_allclose(record["ldr"], ldr, atol=0.51 / 255)
    np.testing.assert_allclose(record["hdr"] * record["gain"], hdr, rtol=0.03, atol=0.01)


def test_other_stems_are_paired_by_natural_order(tmp_path):
  make_folders(tmp_path, stems=("im2", "im10"), hdr_stems=("gt2", "gt10"))
  pairs = open_pairs(tmp_path, split="all")
  assert pairs.pairing == "order"
  assert [pair.hdr.stem for pair in pairs.pairs] == ["gt2", "gt10"]


def test_several_exposures_share_one_reference(tmp_path):
  for number, exposure in enumerate(("clip_95", "clip_97")):
    write(tmp_path / "input" / exposure / "001.png", tmp_path / "reference/x/001.hdr", number)
  pairs = open_pairs(tmp_path, split="test")
  assert [pair.name for pair in pairs.pairs] == ["clip_95/001", "clip_97/001"]
  assert len({pair.hdr for pair in pairs.pairs}) == 1


def test_one_folder_per_pair(tmp_path):
  for name in ("00001", "00002"):
    write(tmp_path / name / "input.png", tmp_path / name / "gt.hdr")
    image_io.write_png(tmp_path / name / "gt.png", scene(0)[0])  # HDR-REAL's tone-mapped extra
  pairs = open_pairs(tmp_path, split="all")
  assert (pairs.layout, [pair.name for pair in pairs.pairs]) == ("scenes", ["00001", "00002"])
  np.testing.assert_allclose(pairs[0]["hdr"] * pairs[0]["gain"], scene(0)[1], rtol=0.03, atol=0.01)


def make_ntire21(root, name="0001", ratio=20000.0):
  ldr, hdr = scene(3)
  image_io.write_png(root / f"{name}_medium.png", ldr)
  encoded = np.rint(hdr.astype(np.float64) ** (1 / 2.24) * ratio)
  png = imagecodecs.png_encode(encoded.astype(np.uint16))
  (root / f"{name}_gt.png").write_bytes(png)
  np.save(root / f"{name}_alignratio.npy", np.float64(ratio))
  return hdr


def test_ntire21_is_decoded_to_linear(tmp_path):
  hdr = make_ntire21(tmp_path)
  pairs = open_pairs(tmp_path, split="all")
  assert pairs.layout == "ntire21"
  np.testing.assert_allclose(pairs[0]["hdr"] * pairs[0]["gain"], hdr, rtol=0.02, atol=1e-4)


def test_splits_are_disjoint_complete_and_stable(tmp_path):
  make_folders(tmp_path, stems=[f"s{i:02d}" for i in range(10)])
  names = {
    split: {pair.name for pair in open_pairs(tmp_path, split=split, validation_share=0.2).pairs}
    for split in ("train", "validation", "test", "all")
  }
  assert len(names["validation"]) == 2
  assert not names["train"] & names["validation"]
  assert names["train"] | names["validation"] == names["all"] == names["test"]


def test_split_folders_name_the_split(tmp_path):
  for split in ("train", "test"):
    make_folders(tmp_path / split, stems=[f"{split}{i}" for i in range(4)])
  test = {pair.name for pair in open_pairs(tmp_path, split="test").pairs}
  train = {pair.name for pair in open_pairs(tmp_path, split="train").pairs}
  held_out = {pair.name for pair in open_pairs(tmp_path, split="validation").pairs}
  assert test == {f"test{i}" for i in range(4)}
  assert len(train) == 3 and train | held_out == {f"train{i}" for i in range(4)}
  assert len(open_pairs(tmp_path, split="all")) == 8


@pytest.mark.parametrize("scale", [1e-3, 1.0, 250.0])
def test_gain_undoes_any_scale(scale):
  ldr, hdr = scene(0)
  assert clip_gain(ldr, hdr * np.float32(scale)) == pytest.approx(1 / scale, rel=1e-3)


def test_gain_is_robust_to_outliers_and_ignores_clipped_pixels():
  ldr, hdr = scene(0)
  hdr[ldr.max(axis=-1) >= 0.95] *= 100.0
  hdr[:5] *= 3.0  # a fifth of the image is misaligned
  assert clip_gain(ldr, hdr) == pytest.approx(1.0, rel=0.02)


def test_gain_of_degenerate_images():
  ones = np.ones((8, 8, 3), np.float32)
  assert clip_gain(ones, 5 * ones) == pytest.approx(0.2)  # clipped throughout
  assert clip_gain(0 * ones, 5 * ones) == 1.0  # nothing to measure on
  assert clip_gain(0.5 * ones, 0 * ones) == 1.0
  dim = clip_gain(0.05 * ones, ones)  # dark, yet above the noise
  assert dim == pytest.approx(((0.05 + 0.055) / 1.055) ** 2.4, rel=1e-4)


def break_counts(root):
  make_folders(root, stems=("a", "b"))
  (root / "HDR_gt/b.hdr").unlink()


def break_half(root):
  (root / "LDR_in").mkdir()
  image_io.write_png(root / "LDR_in/a.png", scene(0)[0])


def break_empty_half(root):
  make_folders(root, stems=("a",))
  (root / "HDR_gt/a.hdr").unlink()


def break_scene(root):
  (root / "00001").mkdir()
  image_io.write_png(root / "00001/input.png", scene(0)[0])


def break_size(root):
  make_folders(root)
  image_io.write_png(root / "LDR_in/a.png", scene(0, (10, 12))[0])


def break_ratio(root):
  make_ntire21(root)
  (root / "0001_alignratio.npy").write_text("not numpy")


def break_ground_truth(root):
  make_ntire21(root)
  (root / "0001_gt.png").unlink()


@pytest.mark.parametrize(
  "break_it, culprit, problem",
  [
    (lambda root: None, "", "no LDR/HDR pairs"),
    (break_counts, "LDR_in/b.png", "no partner (2 images in LDR_in, 1 in HDR_gt)"),
    (break_half, "", "LDR_in but not its other half"),
    (break_empty_half, "HDR_gt", "no images"),
    (break_scene, "00001", "gt.hdr"),
    (break_size, "HDR_gt/a.hdr", "32x24"),
    (break_ratio, "0001_alignratio.npy", ".npy format"),
    (break_ground_truth, "0001_gt.png", "missing"),
  ],
)
def test_mistakes_are_told_in_one_line(tmp_path, break_it, culprit, problem):
  break_it(tmp_path)
  with pytest.raises(UserError) as error:
    open_pairs(tmp_path, split="all")[0]
  message = str(error.value)
  assert message.startswith(str(tmp_path / culprit))
  assert problem in message and ";" in message and "\n" not in message


def test_wrong_arguments_are_user_errors(tmp_path):
  with pytest.raises(UserError, match="no such folder"):
    open_pairs(tmp_path / "nowhere", split="train")
  make_folders(tmp_path, stems=("a",))
  with pytest.raises(UserError, match="no pair left for validation"):
    open_pairs(tmp_path, split="validation")


def indexed_pair(height, width):
  """A pair whose pixels tell where they come from; relative radiance = 40 * ldr."""
  ldr = np.stack(
    np.meshgrid(np.arange(height) / 100, np.arange(width) / 100, [0.5], indexing="ij"), axis=-1
  )[..., 0, :]
  return {
    "ldr": ldr.astype(np.float32),
    "hdr": (80 * ldr).astype(np.float32),
    "gain": np.float32(0.5),
  }


def crop(pair, seed, size=8, headroom=16.0):
  return crop_and_flip(pair, np.random.default_rng(seed), size=size, headroom=headroom)


def test_both_images_get_the_same_window_and_flip():
  pair = indexed_pair(20, 30)
  flips, corners = set(), set()
  for seed in range(40):
    out = crop(pair, seed)
    assert out["ldr"].shape == out["hdr"].shape == (8, 8, 3)
    np.testing.assert_allclose(out["hdr"], np.minimum(40 * out["ldr"], 16.0), rtol=1e-6)
    rows, columns = out["ldr"][:, 0, 0], out["ldr"][0, :, 1]
    np.testing.assert_allclose(np.diff(rows), 0.01, rtol=1e-3)  # never upside down
    step = np.sign(columns[1] - columns[0])
    np.testing.assert_allclose(np.diff(columns), 0.01 * step, rtol=1e-3)
    flips.add(step)
    corners.add((round(100 * rows[0]), round(100 * columns.min())))
  assert flips == {-1.0, 1.0}
  assert len(corners) > 20
  assert max(top for top, _ in corners) <= 12 and max(left for _, left in corners) <= 22


def test_the_generator_decides():
  pair = indexed_pair(20, 30)
  np.testing.assert_array_equal(crop(pair, 7)["ldr"], crop(pair, 7)["ldr"])
  assert not np.array_equal(crop(pair, 7)["ldr"], crop(pair, 8)["ldr"])


def test_ranges_are_kept_and_the_input_is_not_changed():
  pair = {"ldr": np.full((8, 8, 3), 1.5, np.float32), "hdr": np.full((8, 8, 3), -3.0, np.float32)}
  pair |= {"gain": np.float32(1)}
  pair["hdr"][0] = 1000.0
  out = crop(pair, 0)
  assert (out["ldr"].max(), out["hdr"].min(), out["hdr"].max()) == (1.0, 0.0, 16.0)
  assert pair["hdr"].max() == 1000.0
  assert all(value.flags.c_contiguous and value.dtype == np.float32 for value in out.values())


@pytest.mark.parametrize("shape", [(1, 1), (3, 20), (20, 3), (7, 8)])
def test_small_images_are_reflected(shape):
  pair = indexed_pair(*shape)
  out = crop(pair, 0)
  assert out["ldr"].shape == (8, 8, 3)
  assert set(np.unique(out["ldr"][..., 0])) <= set(np.unique(pair["ldr"][..., 0]))


def test_reflection_is_even():
  image = np.arange(3, dtype=np.float32)[None, :, None] * np.ones((6, 1, 3), np.float32)
  np.testing.assert_array_equal(reflect_to(image, 6)[0, :, 0], [1, 0, 1, 2, 1, 0])


def test_no_size_keeps_the_whole_image():
  pair = indexed_pair(5, 9)
  np.testing.assert_array_equal(crop(pair, 0, size=None)["ldr"], pair["ldr"])
