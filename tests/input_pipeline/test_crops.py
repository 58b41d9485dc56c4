"""Random crops: aligned, seeded, in range, at any size."""

import numpy as np
import pytest

from input_pipeline import crops


def indexed_pair(height, width):
  """A pair whose pixels tell where they come from; hdr = 40 * ldr."""
  ldr = np.stack(
    np.meshgrid(np.arange(height) / 100, np.arange(width) / 100, [0.5], indexing="ij"), axis=-1
  )[..., 0, :]
  return {"ldr": ldr.astype(np.float32), "hdr": (40 * ldr).astype(np.float32)}


def crop(pair, seed, size=8, headroom=16.0):
  return crops.crop_and_flip(pair, np.random.default_rng(seed), size=size, headroom=headroom)


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
  np.testing.assert_array_equal(crops.reflect_to(image, 6)[0, :, 0], [1, 0, 1, 2, 1, 0])


def test_no_size_keeps_the_whole_image():
  pair = indexed_pair(5, 9)
  np.testing.assert_array_equal(crop(pair, 0, size=None)["ldr"], pair["ldr"])
