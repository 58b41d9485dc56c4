"""TIFF pages deeper than 8 bits (Pillow reads the others)."""

import os
from typing import BinaryIO, NamedTuple

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.input_files import check_size, decoding
from expocm_jax.image_io.orientation import upright

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and big, both byte orders

_MINISWHITE, _MINISBLACK, _RGB = 0, 1, 2
_SEPARATE_PLANES = 2


class DeepPage(NamedTuple):
  """The first page of a TIFF, upright; alpha and other extras dropped."""

  samples: np.ndarray  # [H, W, 1 or 3], unsigned integers or floats, as stored
  white: float  # the sample that means 1.0
  profile: bytes | None  # ICC


def read_deep_page(path: str | os.PathLike, file: BinaryIO) -> DeepPage | None:
  """Reads the first page of an open TIFF; None if its samples have 8 bits or fewer."""
  import tifffile

  file.seek(0)
  with decoding(path, "TIFF", quiet=True), tifffile.TiffFile(file) as tiff:
    page = tiff.pages[0]
    check_size(path, page.imagewidth, page.imagelength)
    bits = page.bitspersample
    if not isinstance(bits, int) or page.dtype is None:
      raise UserError(f"{path}: TIFF with uneven bits {bits}; export it with 8 or 16 bits")
    if bits <= 8:
      return None
    if page.dtype.kind not in "uf" or page.imagedepth != 1:
      raise UserError(f"{path}: TIFF of type {page.dtype} is no photo; export it with 16 bits")
    if page.photometric not in (_MINISWHITE, _MINISBLACK, _RGB):
      raise UserError(
        f"{path}: {bits}-bit TIFF in colour space {page.photometric.name}; export it as RGB"
      )
    size, count = (page.imagelength, page.imagewidth), page.samplesperpixel
    separate = page.planarconfig == _SEPARATE_PLANES
    samples = page.asarray().reshape((count, *size) if separate else (*size, count))
    orientation = page.tags.valueof(274, default=1)
    profile = page.iccprofile
  if separate:
    samples = np.moveaxis(samples, 0, -1)
  samples = samples[..., : 3 if samples.shape[-1] >= 3 else 1]
  white = float(2**bits - 1) if samples.dtype.kind == "u" else 1.0
  if page.photometric == _MINISWHITE:
    samples = np.float32(white) - samples.astype(np.float32)
  return DeepPage(upright(samples, orientation), white, profile)
