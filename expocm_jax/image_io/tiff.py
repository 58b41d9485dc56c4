"""TIFF pages deeper than 8 bits (Pillow reads the others)."""

import os
from typing import BinaryIO, NamedTuple

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.inputs import check_size, decoding
from expocm_jax.image_io.quiet import quiet_codec

_MINISWHITE, _MINISBLACK, _RGB = 0, 1, 2
_SEPARATE_PLANES = 2


class DeepPage(NamedTuple):
  """The first page of a TIFF: samples as stored, alpha and other extras dropped."""

  samples: np.ndarray  # [H, W, 1 or 3], unsigned integers or floats
  white: float  # the sample that means 1.0
  orientation: int  # EXIF tag 274
  profile: bytes | None  # ICC


def read_deep_page(path: str | os.PathLike, file: BinaryIO) -> DeepPage | None:
  """Reads the first page of an open TIFF; None if its samples have 8 bits or fewer."""
  import tifffile

  file.seek(0)
  with quiet_codec(), decoding(path, "TIFF"), tifffile.TiffFile(file) as tiff:
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
    samples = page.asarray().reshape(_shape(page))
    orientation = page.tags.valueof(274, default=1)
    profile = page.iccprofile
  if page.planarconfig == _SEPARATE_PLANES:
    samples = np.moveaxis(samples, 0, -1)
  samples = samples[..., : 3 if samples.shape[-1] >= 3 else 1]
  white = float(2**bits - 1) if samples.dtype.kind == "u" else 1.0
  if page.photometric == _MINISWHITE:
    samples = np.float32(white) - samples.astype(np.float32)
  return DeepPage(samples, white, orientation, profile)


def _shape(page) -> tuple[int, int, int]:
  size, count = (page.imagelength, page.imagewidth), page.samplesperpixel
  return (count, *size) if page.planarconfig == _SEPARATE_PLANES else (*size, count)
