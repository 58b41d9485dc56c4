"""OpenEXR in and out."""

import os

import numpy as np

from expocm_jax.colorimetry import BT709, convert, rgb_to_xyz, to_bt709
from expocm_jax.errors import UserError
from expocm_jax.image_io.atomic_write import atomic_path
from expocm_jax.image_io.input_files import check_size, decoding

_HALF_MAX = float(np.finfo(np.float16).max)


def read_exr(path: str | os.PathLike) -> np.ndarray:
  """[H, W, 3] float32, linear BT.709, of the data window; not cleaned.

  Reads half, float and uint, scanlines and tiles, any compression, R G B or Y RY BY or Y
  alone. Of several layers, views or parts: the one without a layer name, else the first
  part's alphabetically first (left before right). Alpha is dropped, the colours stay
  premultiplied. `chromaticities` other than BT.709 are converted.
  """
  with decoding(path, "OpenEXR file", quiet=True):
    import OpenEXR

    headers = [part.header for part in OpenEXR.File(str(path), header_only=True).parts]
    for header in headers:
      low, high = header["dataWindow"]
      check_size(path, *(int(n) for n in high - low + 1))
      if header["type"] in (OpenEXR.deepscanline, OpenEXR.deeptile):
        raise UserError(f"{path}: deep OpenEXR; flatten it to a plain RGB image")
    part, names = _find_layer(path, headers)
    # A part that cannot be decoded is left out by the module, hence the explicit lookup.
    channels = OpenEXR.File(str(path), separate_channels=True).channels(part)
    planes = [channels[name].pixels for name in names]
  chromaticities = headers[part].get("chromaticities", BT709)
  try:
    matrix, weights = to_bt709(chromaticities), rgb_to_xyz(chromaticities)[1]
  except ValueError as error:
    raise UserError(f"{path}: {error}; remove or correct the attribute") from error
  if len(planes) == 1:
    return np.repeat(planes[0].astype(np.float32)[..., None], 3, axis=-1)
  if names[0].upper().endswith("Y"):
    planes = _from_luminance_chroma(planes, weights)
  return convert(np.stack(planes, axis=-1, dtype=np.float32), matrix)


def _find_layer(path, headers: list[dict]) -> tuple[int, list[str]]:
  """Index of the part, and full names of its channels R, G, B; or Y, RY, BY; or Y."""
  parts = [
    {channel.name.upper(): channel.name for channel in header["channels"]} for header in headers
  ]
  for wanted in (("R", "G", "B"), ("Y", "RY", "BY"), ("Y",)):
    found = []
    for index, names in enumerate(parts):
      for name in names:
        prefix, _, last = name.rpartition(".")
        prefix += "." if prefix else ""
        if last == wanted[0] and all(prefix + letter in names for letter in wanted):
          found.append((prefix != "", index, prefix))
    if found:
      _, index, prefix = min(found)
      return index, [parts[index][prefix + letter] for letter in wanted]
  names = sorted({name for part in parts for name in part.values()})
  raise UserError(
    f"{path}: no R, G, B or Y among its channels ({', '.join(names[:8])}); export the colour layer"
  )


def _from_luminance_chroma(planes: list[np.ndarray], weights: np.ndarray) -> list[np.ndarray]:
  """Y [H, W], RY = (R - Y)/Y, BY = (B - Y)/Y (half size or full) -> R, G, B [H, W]."""
  luminance, *chroma = (plane.astype(np.float32) for plane in planes)
  red, blue = ((_enlarge(plane, luminance.shape) + 1) * luminance for plane in chroma)
  green = (luminance - weights[0] * red - weights[2] * blue) / weights[1]
  return [red, green, blue]


def _enlarge(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Linear interpolation; sample i of a subsampled axis sits on pixel i * factor."""
  for axis, size in enumerate(shape):
    count = plane.shape[axis]
    if count == size:
      continue
    position = np.arange(size) / np.ceil(size / count)
    low = np.minimum(position.astype(int), count - 1)
    high = np.minimum(low + 1, count - 1)
    share = np.expand_dims((position - low).clip(0, 1).astype(np.float32), 1 - axis)
    plane = plane.take(low, axis) * (1 - share) + plane.take(high, axis) * share
  return plane


def write_exr(
  path: str | os.PathLike, hdr: np.ndarray, *, exr_dtype: str, attributes: dict
) -> None:
  """Writes [H, W, 3] as scanlines with ZIP compression and BT.709 chromaticities, atomically.

  Half holds up to 65504: what is beyond is clamped to it.
  """
  import OpenEXR

  if exr_dtype == "half":
    pixels = np.ascontiguousarray(np.clip(hdr, -_HALF_MAX, _HALF_MAX), np.float16)
  elif exr_dtype == "float":
    pixels = np.ascontiguousarray(hdr, np.float32)
  else:
    raise ValueError(f"exr_dtype must be 'half' or 'float', got {exr_dtype!r}")
  header = {
    "compression": OpenEXR.ZIP_COMPRESSION,
    "type": OpenEXR.scanlineimage,
    "chromaticities": BT709,
    **attributes,
  }
  with atomic_path(path) as temp, open(temp, "wb+") as file:
    # Through a Python file: a full disk is then an OSError and not the module's own error.
    OpenEXR.File(header, {"RGB": pixels}).write(file)
