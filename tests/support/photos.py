"""Photos of noise, and what holds of each photo that is read."""

import io

import numpy as np
from PIL import Image

from expocm_jax.image_io import read_ldr

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (9, 7, 3)).astype(np.uint8)
WORDS = RNG.integers(0, 65536, (9, 7, 3)).astype(np.uint16)


def check(path, expected, tolerance=1e-7):
  image = read_ldr(path)
  assert image.dtype == np.float32 and image.flags.c_contiguous and image.flags.writeable
  assert image.shape == expected.shape
  np.testing.assert_allclose(image, expected, atol=tolerance)


def saved(fmt, options):
  """The bytes of a file of noise that Pillow wrote."""
  out = io.BytesIO()
  Image.fromarray(np.tile(BYTES, (8, 8, 1))).save(out, fmt, **options)
  return out.getvalue()
