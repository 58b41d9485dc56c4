"""PNG out."""

import numpy as np
import pytest
from PIL import Image

from expocm_jax.errors import UserError
from expocm_jax.image_io import read_ldr, write_png


def test_floats_are_rounded_and_clipped(tmp_path):
  image = np.array([-1, 0, 0.4 / 255, 0.6 / 255, 0.5, 1, 7], np.float32)
  write_png(tmp_path / "a.png", np.broadcast_to(image[:, None], (7, 3))[None])
  stored = np.asarray(Image.open(tmp_path / "a.png"))
  np.testing.assert_array_equal(stored[0, :, 0], [0, 0, 0, 1, 128, 255, 255])


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4), (5, 4, 1), (1, 1, 3)])
def test_bytes_come_back(shape, tmp_path):
  image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
  write_png(tmp_path / "a.png", image)
  image = np.atleast_3d(image)
  back = read_ldr(tmp_path / "a.png")
  np.testing.assert_array_equal(np.rint(back * 255), np.broadcast_to(image, (*shape[:2], 3)))


def test_bad_images_are_refused(tmp_path):
  path = tmp_path / "a.png"
  for wrong in (np.zeros((2, 2, 4)), np.zeros(3), np.zeros((0, 2, 3)), np.zeros((2, 2), int)):
    with pytest.raises(ValueError):
      write_png(path, wrong)
  with pytest.raises(UserError, match="NaN"):
    write_png(path, np.full((2, 2, 3), np.nan))
  assert not path.exists()
