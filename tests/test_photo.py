"""Statistics of photos on the host: the same as on the device, whatever the number format."""

import numpy as np
import pytest
import small_network

from expocm_jax import masks, photo
from expocm_jax.method import Method

METHOD = Method.from_config(small_network.config())
LDR = small_network.photo()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
def test_as_on_the_device(dtype):
  ldr = LDR.astype(dtype)
  if np.issubdtype(dtype, np.integer):
    ldr = np.rint(LDR * np.iinfo(dtype).max).astype(dtype)
  in_bands = photo.statistics(ldr, METHOD, band=1000)  # of seven rows, the last of less
  for got in (in_bands, photo.statistics(ldr, METHOD)):
    whole = photo.as_float(ldr)[None]
    levels = masks.exposure_levels(whole, q_lo=METHOD.q_lo, q_hi=METHOD.q_hi)
    np.testing.assert_allclose(got.levels, levels, atol=1e-6)
    np.testing.assert_allclose(got.tone, METHOD.condition(whole).statistics, atol=2e-5)


@pytest.mark.parametrize("level", [0, 255])
def test_photos_without_contrast(level):
  flat = np.full((3, 5, 3), level, np.uint8)
  got = photo.statistics(flat, METHOD)
  np.testing.assert_array_equal(np.ravel(got.levels), level / 255)
  np.testing.assert_allclose(np.sum(got.tone[:, :3], axis=-1), 1, atol=1e-6)
  np.testing.assert_array_equal(got.tone[:, 3:], 0)
