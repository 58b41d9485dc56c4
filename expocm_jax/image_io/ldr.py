"""Photos in: JPEG, PNG, WebP and TIFF as display-referred sRGB."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.icc import cmyk_to_rgb, to_srgb
from expocm_jax.image_io.inputs import MAX_PIXELS, check_size, decoding, open_input
from expocm_jax.image_io.orientation import upright
from expocm_jax.image_io.quiet import quiet_codec
from expocm_jax.image_io.tiff import read_deep_page

LDR_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")

_REMEDY = "give a JPEG, PNG, WebP or TIFF"
_OTHER_KINDS = {
  b"\x76\x2f\x31\x01": f"is an OpenEXR file, HDR already; {_REMEDY}",
  b"#?": f"is a Radiance .hdr file, HDR already; {_REMEDY}",
  b"GIF8": "is a GIF; export it as PNG",
  b"BM": "is not a JPEG, PNG, WebP or TIFF (perhaps a BMP); export it as PNG",
  b"%PDF": "is a PDF; export the picture as PNG",
}


class _Decoded(NamedTuple):
  pixels: np.ndarray  # [H, W, 1 or 3] float32 in [0, 1], as stored
  orientation: int  # EXIF tag 274
  profile: bytes | None  # ICC


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
    head = file.read(32)
    kind = _kind(path, head)
    decoded = _read_deep_tiff(path, file) if kind == "TIFF" else None
    if decoded is None:
      deep = kind == "PNG" and head[24:25] == b"\x10"  # bit depth in IHDR
      decoded = _read_common(path, file, kind, deep=deep)
  pixels = to_srgb(path, decoded.pixels, decoded.profile)
  return np.ascontiguousarray(upright(pixels, decoded.orientation))


def _kind(path: str | os.PathLike, head: bytes) -> str:
  """Pillow's name of the format; the content decides, not the suffix."""
  if head.startswith(b"\xff\xd8\xff"):
    return "JPEG"
  if head.startswith(b"\x89PNG\r\n\x1a\n"):
    return "PNG"
  if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
    return "WEBP"
  if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
    return "TIFF"
  if head[4:8] == b"ftyp":
    raise UserError(f"{path}: is a HEIC, AVIF or video file; export it as JPEG or PNG")
  for magic, problem in _OTHER_KINDS.items():
    if head.startswith(magic):
      raise UserError(f"{path}: {problem}")
  text = all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head)
  what = "is a text file, not an image" if text else "is not an image that is understood here"
  raise UserError(f"{path}: {what}; {_REMEDY}")


def _read_deep_tiff(path, file: BinaryIO) -> _Decoded | None:
  page = read_deep_page(path, file)
  if page is None:
    return None
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
  return _Decoded(pixels, page.orientation, page.profile)


def _read_common(path, file: BinaryIO, kind: str, *, deep: bool) -> _Decoded:
  """Whatever Pillow reads, and PNG of 16 bits, of which Pillow would drop eight."""
  from PIL import Image, UnidentifiedImageError

  file.seek(0)
  with _without_warnings(path, kind):
    try:
      image = Image.open(file, formats=[kind])  # a JPEG's plug-in opens MPO too
    except Image.DecompressionBombError as error:
      raise UserError(
        f"{path}: more than the {MAX_PIXELS // 10**6} megapixels that are read; scale or crop it"
      ) from error
    except UnidentifiedImageError as error:
      raise UserError(
        f"{path}: damaged or incomplete {kind} (its header is cut short or broken); "
        "export or download it again"
      ) from error
    check_size(path, *image.size)
    profile = image.info.get("icc_profile")
  if deep:
    pixels = _deep_png(path, file)
  else:
    # Only libtiff complains here too; the lock would slow down threads that read JPEG.
    with (_without_warnings if kind == "TIFF" else decoding)(path, kind):
      image.load()
  # Asked after loading: Pillow itself turns a TIFF, and then clears the tag.
  orientation = _orientation(path, image, kind)
  if not deep:
    pixels, profile = _pixels(path, image, profile)
  return _Decoded(pixels, orientation, profile)


@contextlib.contextmanager
def _without_warnings(path, kind: str) -> Iterator[None]:
  """Pillow warns of large images and of odd EXIF data; the filters are the process's."""
  with quiet_codec(), decoding(path, kind), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    yield


def _orientation(path, image, kind: str) -> int:
  try:
    with _without_warnings(path, kind):
      return image.getexif().get(274, 1)
  except UserError:  # The pixels are sound: a photo with broken EXIF data is shown as stored.
    return 1


def _deep_png(path, file: BinaryIO) -> np.ndarray:
  import imagecodecs

  file.seek(0)
  with decoding(path, "PNG"):
    samples = imagecodecs.png_decode(file.read())
  samples = samples[..., None] if samples.ndim == 2 else samples
  samples = samples[..., : 3 if samples.shape[-1] >= 3 else 1]
  return np.divide(samples, np.iinfo(samples.dtype).max, dtype=np.float32)


def _pixels(path, image, profile: bytes | None) -> tuple[np.ndarray, bytes | None]:
  """[H, W, 1 or 3] float32 of a loaded Pillow image, and the profile still to be applied."""
  if image.mode == "CMYK":
    if not profile:
      raise UserError(
        f"{path}: CMYK without a colour profile, its colours are not defined; convert it to sRGB"
      )
    with decoding(path, "CMYK colour profile"):
      image, profile = cmyk_to_rgb(image, profile), None
  if image.mode == "1":
    image = image.convert("L")
  elif image.mode in ("P", "PA", "RGBa", "YCbCr"):
    image = image.convert("RGB" if image.mode == "YCbCr" else "RGBA")
  if image.mode not in ("L", "LA", "RGB", "RGBA", "RGBX"):
    raise UserError(f"{path}: images of kind {image.mode} are not read; convert it to sRGB")
  with decoding(path, "image"):
    samples = np.asarray(image)
    samples = samples[..., None] if samples.ndim == 2 else samples
    channels = 1 if image.mode in ("L", "LA") else 3
    return np.divide(samples[..., :channels], 255, dtype=np.float32), profile
