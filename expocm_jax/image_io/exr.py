"""OpenEXR in and out."""

import os
from typing import NamedTuple

import numpy as np

from expocm_jax.errors import UserError
from expocm_jax.image_io.atomic import atomic_path
from expocm_jax.image_io.inputs import check_size, decoding
from expocm_jax.image_io.primaries import BT709, convert, rgb_to_xyz, to_bt709
from expocm_jax.image_io.quiet import quiet_codec

_HALF_MAX = 65504.0


class _Layer(NamedTuple):
  """Where the picture is: the part, and its channels' full names."""

  part: int
  names: tuple[str, ...]  # R, G, B; or Y, RY, BY; or Y


def read_exr(path: str | os.PathLike) -> np.ndarray:
  """[H, W, 3] float32, linear BT.709, of the data window; not cleaned.

  Reads half, float and uint, scanlines and tiles, any compression, R G B or Y RY BY or Y
  alone. Of several layers, views or parts: the one without a layer name, else the first
  part's alphabetically first (left before right). Alpha is dropped, the colours stay
  premultiplied. `chromaticities` other than BT.709 are converted.
  """
  with quiet_codec(), decoding(path, "OpenEXR file"):
    import OpenEXR

    headers = [part.header for part in OpenEXR.File(str(path), header_only=True).parts]
    for header in headers:
      low, high = header["dataWindow"]
      check_size(path, *(int(n) for n in high - low + 1))
      if header["type"] in (OpenEXR.deepscanline, OpenEXR.deeptile):
        raise UserError(f"{path}: deep OpenEXR; flatten it to a plain RGB image")
    layer = _find_layer(path, headers)
    # A part that cannot be decoded is left out by the module, hence the explicit lookup.
    channels = OpenEXR.File(str(path), separate_channels=True).channels(layer.part)
    planes = [channels[name].pixels for name in layer.names]
  chromaticities = headers[layer.part].get("chromaticities", BT709)
  try:
    matrix, weights = to_bt709(chromaticities), rgb_to_xyz(chromaticities)[1]
  except ValueError as error:
    raise UserError(f"{path}: {error}; remove or correct the attribute") from error
  if len(planes) == 1:
    return np.repeat(planes[0].astype(np.float32)[..., None], 3, axis=-1)
  is_rgb = layer.names[0].upper().endswith("R")
  rgb = _joined(planes) if is_rgb else _from_luminance_chroma(planes, weights)
  return convert(rgb, matrix)


def _find_layer(path, headers: list[dict]) -> _Layer:
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
      return _Layer(index, tuple(parts[index][prefix + letter] for letter in wanted))
  names = sorted({name for part in parts for name in part.values()})
  raise UserError(
    f"{path}: no R, G, B or Y among its channels ({', '.join(names[:8])}); export the colour layer"
  )


def _joined(planes: list[np.ndarray]) -> np.ndarray:
  """Three [H, W] of any number type -> [H, W, 3] float32."""
  out = np.empty((*planes[0].shape, 3), np.float32)
  for index, plane in enumerate(planes):
    out[..., index] = plane
  return out


def _from_luminance_chroma(planes: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
  """Y [H, W], RY = (R - Y)/Y, BY = (B - Y)/Y (half size or full) -> [H, W, 3]."""
  luminance, *chroma = (plane.astype(np.float32) for plane in planes)
  red, blue = ((_enlarge(plane, luminance.shape) + 1) * luminance for plane in chroma)
  green = (luminance - weights[0] * red - weights[2] * blue) / weights[1]
  return _joined([red, green, blue])


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
    pixels = np.clip(hdr, -_HALF_MAX, _HALF_MAX).astype(np.float16)
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
