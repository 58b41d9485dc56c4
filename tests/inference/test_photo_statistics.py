"""Statistics of photos on the host: the same as on the device, whatever the number format."""

import numpy as np
import pytest

from expocm_jax.inference import photo_statistics
from expocm_jax.method import masks
from expocm_jax.method.expocm import Method
from tests.support import small_network

METHOD = Method.from_config(small_network.config())
PLAIN = Method.from_config(small_network.config(tone_bins=0, tone_cells=0))
LDR = small_network.photo()


@pytest.mark.parametrize("method", [METHOD, PLAIN], ids=["default", "plain"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
def test_as_on_the_device(dtype, method):
  ldr = LDR.astype(dtype)
  if np.issubdtype(dtype, np.integer):
    ldr = np.rint(LDR * np.iinfo(dtype).max).astype(dtype)
  photo = photo_statistics.as_float(ldr)[None]
  levels = masks.exposure_levels(photo, q_lo=method.q_lo, q_hi=method.q_hi)
  context = method.condition(photo).context
  for band in (1000, photo_statistics.BAND):  # seven rows at a time, and all
    got_levels, got = photo_statistics.measure(ldr, method, band=band)
    np.testing.assert_allclose(got_levels, levels, atol=1e-6)
    np.testing.assert_allclose(got.tone, context.tone, atol=2e-5)
    np.testing.assert_allclose(got.cells, context.cells, atol=1e-4)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("size", [(3, 5), (1, 1)])
def test_photos_without_contrast(level, size):
  flat = np.full((*size, 3), level, np.uint8)
  levels, got = photo_statistics.measure(flat, METHOD)
  np.testing.assert_array_equal(np.ravel(levels), level / 255)
  np.testing.assert_allclose(np.sum(got.tone[:, :3], axis=-1), 1, atol=1e-6)
  np.testing.assert_array_equal(got.tone[:, 3:], 0)
