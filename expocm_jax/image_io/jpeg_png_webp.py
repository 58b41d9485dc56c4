"""JPEG, PNG, WebP and 8-bit TIFF in, by Pillow (16-bit PNG by imagecodecs); PNG out."""

import contextlib
import os
from typing import BinaryIO

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.atomic_write import atomic_path
from expocm_jax.image_io.icc import cmyk_to_rgb
from expocm_jax.image_io.input_files import MAX_PIXELS, check_size, decoding
from expocm_jax.image_io.orientation import upright


def decode_picture(
  path: str | os.PathLike, file: BinaryIO, kind: str
) -> tuple[np.ndarray, bytes | None]:
  """The first picture in an open file of a kind that Pillow names JPEG, PNG, WEBP or TIFF.

  Returns:
    [H, W, 1 or 3] float32 in [0, 1], upright, and the ICC profile still to be applied.
  """
  from PIL import Image, UnidentifiedImageError

  file.seek(24)
  deep = kind == "PNG" and file.read(1) == b"\x10"  # bits in IHDR; Pillow would drop eight
  file.seek(0)
  with decoding(path, kind, quiet=True):
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
    with decoding(path, kind, quiet=kind == "TIFF"):
      image.load()
  orientation = 1
  # A photo with broken EXIF data is shown as stored: its pixels are sound. Asked after loading:
  # Pillow itself turns a TIFF, and then clears the tag.
  with contextlib.suppress(UserError), decoding(path, kind, quiet=True):
    orientation = image.getexif().get(274, orientation)
  if not deep:
    pixels, profile = _pixels(path, image, profile)
  return upright(pixels, orientation), profile


def _deep_png(path, file: BinaryIO) -> np.ndarray:
  import imagecodecs

  file.seek(0)
  with decoding(path, "PNG"):
    samples = np.atleast_3d(imagecodecs.png_decode(file.read()))
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
    channels = 1 if image.mode in ("L", "LA") else 3
    samples = np.atleast_3d(np.asarray(image))[..., :channels]
    return np.divide(samples, 255, dtype=np.float32), profile


def write_png(path: str | os.PathLike, image: np.ndarray) -> None:
  """Writes an 8-bit PNG, atomically.

  Args:
    path: the file, by habit .png.
    image: [H, W, 3] or grey [H, W] (or [H, W, 1]); uint8 as it is, or floats in [0, 1],
      clipped and rounded to the nearest of 256 levels.

  Raises:
    UserError: NaN in the image, or the file cannot be written.
    ValueError: another shape or type.
  """
  from PIL import Image

  image = np.asarray(image)
  if image.ndim == 3 and image.shape[-1] == 1:
    image = image[..., 0]
  if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] != 3) or not image.size:
    raise ValueError(f"image must be [H, W, 3] or [H, W], got {image.shape}")
  if np.issubdtype(image.dtype, np.floating):
    if np.isnan(image).any():
      raise UserError(f"{path}: the image to write holds NaN; check its source")
    image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
  elif image.dtype != np.uint8:
    raise ValueError(f"image must be uint8 or float in [0, 1], got {image.dtype}")
  with atomic_path(path) as temp, open(temp, "wb") as file:
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
