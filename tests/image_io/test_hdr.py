"""HDR in and out: .npy, float TIFF, and what cannot be radiance."""

import numpy as np
import pytest
import tifffile

from expocm_jax.errors import UserError
from expocm_jax.image_io import read_hdr, write_hdr

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels, dtype", [(3, np.float32), (4, np.float16), (1, np.float64)])
def test_npy_and_float_tiff(channels, dtype, tmp_path):
  array = (RNG.random((6, 5, channels)) * 30).astype(dtype)
  expected = np.broadcast_to(array[..., :3].astype(np.float32), (6, 5, 3))
  np.save(tmp_path / "a.npy", array)
  np.testing.assert_array_equal(read_hdr(tmp_path / "a.npy"), expected)
  stored = array[..., 0] if channels == 1 else array
  tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack" if channels == 1 else "rgb")
  np.testing.assert_array_equal(read_hdr(tmp_path / "a.tif"), expected)


def test_arrays_that_are_no_radiance(tmp_path):
  path = tmp_path / "a.npy"
  for array, match in (
    (np.ones((4, 4, 3), int), "must be float"),
    (np.ones(4), "shape"),
    (np.ones((4, 4, 2)), "shape"),
    (np.array([{}]), "damaged"),
    (np.ones((0, 4, 3)), "empty"),
    (np.full((2, 2, 3), 1e300), "infinite"),
  ):
    np.save(path, array, allow_pickle=True)
    with pytest.raises(UserError, match=match):
      read_hdr(path)
  tifffile.imwrite(tmp_path / "a.tif", np.ones((4, 4, 3), np.uint16), photometric="rgb")
  with pytest.raises(UserError, match="integers"):
    read_hdr(tmp_path / "a.tif")


@pytest.mark.parametrize(
  "value, match",
  [
    (np.nan, "1 of 48 values are NaN or infinite; repair"),
    (np.inf, "infinite"),
    (-np.inf, "infinite"),
    (-5.0, r"1 pixels have negative radiance \(down to -5\)"),
  ],
)
@pytest.mark.parametrize("name", ["a.npy", "a.exr"])
def test_impossible_values_are_refused(name, value, match, tmp_path):
  import OpenEXR

  hdr = np.ones((4, 4, 3), np.float32)
  hdr[1, 2, 0] = value
  if name == "a.npy":
    np.save(tmp_path / name, hdr)
  else:
    OpenEXR.File({}, {"RGB": hdr}).write(str(tmp_path / name))
  with pytest.raises(UserError, match=match):
    read_hdr(tmp_path / name)


def test_harmless_negatives_become_zero(tmp_path):
  hdr = np.ones((4, 4, 3), np.float32)
  hdr[0, 0] = -1e-4, -1e-5, 0  # noise in black
  hdr[1, 1] = -0.3, 0.8, 0.2  # a green outside BT.709
  np.save(tmp_path / "a.npy", hdr)
  np.testing.assert_array_equal(read_hdr(tmp_path / "a.npy"), np.maximum(hdr, 0))


def test_writing_refuses_what_it_cannot_keep(tmp_path):
  for name in ("a.exr", "a.hdr"):
    with pytest.raises(UserError, match="2 of 12 values to write are NaN or infinite"):
      write_hdr(tmp_path / name, np.array([np.nan, np.inf] + [1.0] * 10).reshape(2, 2, 3))
    for shape in ((2, 2), (2, 2, 4), (0, 2, 3)):
      with pytest.raises(ValueError, match="must be"):
        write_hdr(tmp_path / name, np.ones(shape))
  with pytest.raises(UserError, match="written as .exr or .hdr; change the suffix"):
    write_hdr(tmp_path / "a.jpg", np.ones((2, 2, 3)))
  assert list(tmp_path.iterdir()) == []
