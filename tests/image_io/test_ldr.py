"""Photos in, whatever the format: what is refused."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile

from expocm_jax.errors import UserError
from expocm_jax.image_io import input_files, read_ldr
from tests.support.photos import WORDS, saved


@pytest.mark.parametrize("side", [11_000, 20_000])  # Pillow warns at one, raises at the other
def test_too_many_pixels_are_refused_from_the_header(side, tmp_path, recwarn):
  data = bytearray(saved("PNG", {}))
  data[16:24] = struct.pack(">II", side, side)
  data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
  (tmp_path / "a.png").write_bytes(data)
  with pytest.raises(UserError, match="megapixels.*scale or crop"):
    read_ldr(tmp_path / "a.png")
  tifffile.memmap(tmp_path / "a.tif", shape=(side, side), dtype=np.uint16).flush()
  with pytest.raises(UserError, match="megapixels.*scale or crop"):
    read_ldr(tmp_path / "a.tif")
  assert not recwarn.list
  assert input_files.MAX_PIXELS >= 100e6


@pytest.mark.parametrize(
  "make",
  [
    *[
      lambda f=f, o=o: saved(f, o)
      for f, o in [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "jpeg"}),
      ]
    ],
    lambda: imagecodecs.png_encode(np.tile(WORDS, (8, 8, 1))),
    lambda: deep_tiff(),
  ],
)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.9])
def test_truncated_files_are_refused(make, share, tmp_path):
  path, data = tmp_path / "a.img", make()
  path.write_bytes(data)
  read_ldr(path)
  path.write_bytes(data[: int(len(data) * share)])
  with pytest.raises(UserError, match="damaged or incomplete .*download it again") as error:
    read_ldr(path)
  assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def deep_tiff():
  out = io.BytesIO()
  tifffile.imwrite(out, np.tile(WORDS, (8, 8, 1)), photometric="rgb", compression="zlib")
  return out.getvalue()


def test_floats_that_are_no_photo(tmp_path):
  path, floats = tmp_path / "a.tif", np.random.default_rng(0).random((5, 6, 3), np.float32)
  for value, match in ((np.nan, "NaN"), (200.0, "up to 200")):
    floats[0, 0, 0] = value
    tifffile.imwrite(path, floats, photometric="rgb")
    with pytest.raises(UserError, match=match):
      read_ldr(path)
