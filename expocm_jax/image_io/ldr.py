"""Photos in: JPEG, PNG, WebP and TIFF as display-referred sRGB."""

import os

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.icc import to_srgb
from expocm_jax.image_io.input_files import open_input
from expocm_jax.image_io.jpeg_png_webp import decode_picture
from expocm_jax.image_io.tiff import TIFF_MAGIC, DeepPage, read_deep_page

_REMEDY = "give a JPEG, PNG, WebP or TIFF"
_OTHER_KINDS = {
  b"\x76\x2f\x31\x01": f"is an OpenEXR file, HDR already; {_REMEDY}",
  b"#?": f"is a Radiance .hdr file, HDR already; {_REMEDY}",
  b"GIF8": "is a GIF; export it as PNG",
  b"BM": "is not a JPEG, PNG, WebP or TIFF (perhaps a BMP); export it as PNG",
  b"%PDF": "is a PDF; export the picture as PNG",
}


def read_ldr(path: str | os.PathLike) -> np.ndarray:
  """Reads a photo.

  EXIF orientation is applied, an embedded ICC profile converted to sRGB (in float, so 16-bit
  files keep their precision). Grey, 1-bit and palette images become RGB. Alpha is dropped:
  the colour under it stays as stored. CMYK is converted if it carries a profile. Of several
  pages or frames the first is read.

  Args:
    path: JPEG, PNG (8 or 16 bits), WebP, TIFF (1 to 32 bits, or floats in [0, 1]), at most
      `MAX_PIXELS` pixels.

  Returns:
    [H, W, 3] float32 in [0, 1], display-referred sRGB.

  Raises:
    UserError: no such file, not one of these formats, damaged, incomplete or too large.
  """
  with open_input(path) as file:
    kind = _kind(path, file.read(32))
    page = read_deep_page(path, file) if kind == "TIFF" else None
    if page is None:
      pixels, profile = decode_picture(path, file, kind)
    else:
      pixels, profile = _scaled(path, page), page.profile
  return np.ascontiguousarray(to_srgb(path, pixels, profile))


def _kind(path: str | os.PathLike, head: bytes) -> str:
  """Pillow's name of the format; the content decides, not the suffix."""
  if head.startswith(b"\xff\xd8\xff"):
    return "JPEG"
  if head.startswith(b"\x89PNG\r\n\x1a\n"):
    return "PNG"
  if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
    return "WEBP"
  if head.startswith(TIFF_MAGIC):
    return "TIFF"
  if head[4:8] == b"ftyp":
    raise UserError(f"{path}: is a HEIC, AVIF or video file; export it as JPEG or PNG")
  for magic, problem in _OTHER_KINDS.items():
    if head.startswith(magic):
      raise UserError(f"{path}: {problem}")
  text = all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head)
  what = "is a text file, not an image" if text else "is not an image that is understood here"
  raise UserError(f"{path}: {what}; {_REMEDY}")


def _scaled(path: str | os.PathLike, page: DeepPage) -> np.ndarray:
  """[H, W, 1 or 3] float32 in [0, 1]."""
  pixels = np.divide(page.samples, page.white, dtype=np.float32, casting="same_kind")
  if page.samples.dtype.kind == "f":
    if not np.isfinite(pixels).all():
      raise UserError(f"{path}: float TIFF with NaN or infinite values; export it again")
    if pixels.max() > 1.5:  # a little above white is ringing, this is another scale
      raise UserError(
        f"{path}: float TIFF with values up to {pixels.max():.4g}, a photo has "
        "0 to 1; scale it, or export it with 16 bits"
      )
    pixels = np.clip(pixels, 0, 1)
  return pixels
