"""HDR images in and out, whatever the format."""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.exr import read_exr, write_exr
from expocm_jax.image_io.input_files import HDR_SUFFIXES, check_size, decoding, open_input
from expocm_jax.image_io.radiance import read_radiance, write_radiance
from expocm_jax.image_io.tiff import TIFF_MAGIC, read_deep_page

_SCALE = {
  "comments": "linear BT.709 D65, 1.0 = the white of the input photo",
  "whiteLuminance": 203.0,  # cd/m2 of 1.0 on a reference display, ITU-R BT.2408
}
_REMEDY = "give .exr, .hdr, or float .npy or TIFF"


def read_hdr(path: str | os.PathLike) -> np.ndarray:
  """Reads an HDR image.

  Negative values as wide-gamut colours and lossy compression leave them become 0.

  Args:
    path: OpenEXR, Radiance .hdr, .npy ([H, W], [H, W, 1], [H, W, 3] or [H, W, 4] floats,
      taken as linear BT.709) or float TIFF (the same), at most `MAX_PIXELS` pixels.

  Returns:
    [H, W, 3] float32, finite, >= 0: linear BT.709 radiance in the file's own scale.

  Raises:
    UserError: no such file, not one of these formats, damaged, no colour in it, too large,
      or NaN, infinite or truly negative values.
  """
  with open_input(path) as file:
    head = file.read(32)
    if head.startswith(b"\x76\x2f\x31\x01"):
      pixels = read_exr(path)
    elif head.startswith(b"#?"):
      pixels = read_radiance(path, file)
    elif head.startswith(b"\x93NUMPY"):
      pixels = _read_npy(path)
    elif head.startswith(TIFF_MAGIC):
      pixels = _read_tiff(path, file)
    elif head.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"BM")):
      raise UserError(f"{path}: an ordinary picture, it holds no radiance; {_REMEDY}")
    else:
      raise UserError(f"{path}: not an HDR image that is understood here; {_REMEDY}")
  return _cleaned(path, pixels)


def _read_npy(path: str | os.PathLike) -> np.ndarray:
  with decoding(path, "NumPy file"):
    array = np.load(path, mmap_mode="r", allow_pickle=False)
  if array.dtype.kind != "f":
    raise UserError(f"{path}: NumPy array of {array.dtype}; radiance must be float, save it so")
  if array.ndim == 2:
    array = array[..., None]
  if array.ndim != 3 or array.shape[-1] not in (1, 3, 4):
    raise UserError(f"{path}: NumPy array of shape {array.shape}; save it as [H, W, 3]")
  check_size(path, array.shape[1], array.shape[0])
  return _three(array)


def _read_tiff(path: str | os.PathLike, file: BinaryIO) -> np.ndarray:
  page = read_deep_page(path, file)
  if page is None or page.samples.dtype.kind != "f":
    raise UserError(f"{path}: TIFF of integers, it holds no radiance; {_REMEDY}")
  return _three(page.samples)


def _three(array: np.ndarray) -> np.ndarray:
  """[H, W, 1, 3 or 4] floats -> [H, W, 3] float32."""
  with np.errstate(over="ignore"):  # What float32 cannot hold is told as infinite.
    array = array[..., :3].astype(np.float32)
  return array.repeat(3, axis=-1) if array.shape[-1] == 1 else array


def _cleaned(path: str | os.PathLike, pixels: np.ndarray) -> np.ndarray:
  """Clamps harmless negatives to 0, refuses what cannot be radiance."""
  least, most = pixels.min(), pixels.max()
  if not np.isfinite([least, most]).all():
    bad = pixels.size - np.count_nonzero(np.isfinite(pixels))
    raise UserError(
      f"{path}: {bad} of {pixels.size} values are NaN or infinite; repair or "
      "export it again without them"
    )
  if least < 0:
    # A real colour outside BT.709 has a positive channel that outweighs its negative one;
    # noise and ringing lie far below the mean.
    floor = -0.01 * np.abs(pixels).mean(dtype=np.float64)
    suspects = pixels[(pixels < floor).any(axis=-1)]
    count = np.count_nonzero(-suspects.min(axis=-1) > suspects.max(axis=-1))
    if count:
      raise UserError(
        f"{path}: {count} pixels have negative radiance (down to {least:.4g}); "
        "give linear radiance, or clip it to >= 0"
      )
    pixels = np.maximum(pixels, 0)
  return np.ascontiguousarray(pixels, np.float32)


def write_hdr(
  path: str | os.PathLike,
  hdr: np.ndarray,
  *,
  exr_dtype: str = "half",
  attributes: dict | None = None,
) -> None:
  """Writes an HDR image, atomically, in the format of the path's suffix.

  The scale stands in the header: `comments` says "linear BT.709 D65, 1.0 = the white of the
  input photo", `whiteLuminance` is 203 cd/m2 (BT.2408).

  Args:
    path: .exr (ZIP, lossless) or .hdr (RGBE: 8-bit mantissas, rounded).
    hdr: [H, W, 3] floats, linear BT.709, finite.
    exr_dtype: "half" (values above 65504 are clamped to it) or "float".
    attributes: name -> text or number for the header, beside or instead of the scale's.

  Raises:
    UserError: another suffix, NaN or infinite values, or the file cannot be written.
    ValueError: another shape, or an unknown `exr_dtype`.
  """
  hdr = np.asarray(hdr)
  if hdr.ndim != 3 or hdr.shape[-1] != 3 or not hdr.size:
    raise ValueError(f"hdr must be [H, W, 3], got {hdr.shape}")
  suffix = Path(path).suffix.lower()
  if suffix not in HDR_SUFFIXES:
    raise UserError(f"{path}: HDR images are written as .exr or .hdr; change the suffix")
  bad = hdr.size - np.count_nonzero(np.isfinite(hdr))
  if bad:
    raise UserError(
      f"{path}: {bad} of {hdr.size} values to write are NaN or infinite; "
      "nothing was written, check the weights and the input"
    )
  attributes = _SCALE | (attributes or {})
  if suffix == ".exr":
    write_exr(path, hdr, exr_dtype=exr_dtype, attributes=attributes)
  else:
    write_radiance(path, hdr, attributes=attributes)
