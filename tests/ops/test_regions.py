import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.ops import regions


def test_thresholds_between_the_levels_of_eight_bits():
  largest = np.array([0, 25, 26, 128, 253, 254, 255])
  ldr = np.zeros((1, 7, 3), np.float32)
  ldr[..., 1] = largest / 255
  got = regions.exposure_regions(ldr)
  assert tuple(got) == regions.REGIONS
  expected = {
    "all": [1, 1, 1, 1, 1, 1, 1],
    "clipped": [0, 0, 0, 0, 0, 1, 1],
    "dark": [1, 1, 0, 0, 0, 0, 0],
    "well_exposed": [0, 0, 1, 1, 1, 0, 0],
  }
  for name, inside in expected.items():
    assert got[name].shape == (1, 7, 1) and got[name].dtype == jnp.float32
    np.testing.assert_array_equal(got[name][0, :, 0], inside)


def test_one_clipped_channel_is_enough_and_all_must_be_dark():
  ldr = np.array([[[1, 0, 0], [0.02, 0.3, 0.02], [0.09, 0.09, 0.09]]], np.float32)
  got = regions.exposure_regions(ldr)
  np.testing.assert_array_equal(got["clipped"][0, :, 0], [1, 0, 0])
  np.testing.assert_array_equal(got["dark"][0, :, 0], [0, 0, 1])


def test_the_three_regions_share_out_all_pixels_of_a_batch():
  ldr = np.random.default_rng(0).uniform(0, 1, (2, 5, 4, 3)).astype(np.float32) ** 3
  masks = regions.exposure_regions(ldr)
  np.testing.assert_array_equal(
    masks["clipped"] + masks["dark"] + masks["well_exposed"], masks["all"]
  )


def test_wrong_arrays_are_refused():
  with pytest.raises(AssertionError):
    regions.exposure_regions(np.zeros((4, 4, 1), np.float32))
  with pytest.raises(AssertionError):
    regions.exposure_regions(np.zeros((4, 4, 3), np.uint8))
