"""Embedded ICC profiles: to sRGB, in float32, so 16-bit files keep their precision."""

import os
import warnings

import numpy as np

# lcms2's numbers of: relative colorimetric, black-point compensation.
_OPTIONS = {"outcolorspace": "rgb", "intent": 1, "flags": 0x2000}
_BLOCK = 1 << 20  # pixels at a time: bounds the copies


def to_srgb(path: str | os.PathLike, pixels: np.ndarray, profile: bytes | None) -> np.ndarray:
  """[H, W, 1] or [H, W, 3] float32 in [0, 1] in the profile's space -> sRGB [H, W, 3] in [0, 1].

  Relative colorimetric with black-point compensation; colours outside sRGB are clipped.
  Without a profile the values are sRGB already. A profile that agrees with sRGB to one level
  of 255 leaves them untouched. One that is broken or of another kind is ignored with a
  warning, as browsers do.
  """
  grey = pixels.shape[-1] == 1
  if profile:
    space = profile[16:20]
    try:
      if space == b"RGB ":
        return _apply(pixels.repeat(3, axis=-1) if grey else pixels, profile, "rgb")
      if space == b"GRAY" and grey:
        return _apply(pixels, profile, "gray")
      problem = f"profile of kind {space.decode('latin-1').strip()!r} does not fit"
    except RuntimeError as error:  # lcms2's CmsError
      problem = f"{error}"
    warnings.warn(f"{path}: colour profile ignored, taken as sRGB ({problem})", stacklevel=3)
  return pixels.repeat(3, axis=-1) if grey else pixels


def _apply(pixels: np.ndarray, profile: bytes, space: str) -> np.ndarray:
  import imagecodecs

  srgb = imagecodecs.cms_profile("srgb")

  def transform(block):
    block = np.ascontiguousarray(block if space == "rgb" else block[..., 0])
    out = imagecodecs.cms_transform(block, profile, srgb, colorspace=space, **_OPTIONS)
    return np.clip(out, 0, 1)

  probe = _probe(pixels.shape[-1])
  if np.abs(transform(probe) - probe).max() < 1 / 255:
    return pixels.repeat(3, axis=-1) if space == "gray" else pixels
  height, width, _ = pixels.shape
  out = np.empty((height, width, 3), np.float32)
  rows = max(1, _BLOCK // width)
  for top in range(0, height, rows):
    out[top : top + rows] = transform(pixels[top : top + rows])
  return out


def _probe(channels: int) -> np.ndarray:
  """[N, 1, channels] float32: colours all over the cube."""
  levels = np.linspace(0, 1, 18 if channels == 1 else 8, dtype=np.float32)
  return np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(-1, 1, channels)


def cmyk_to_rgb(image, profile: bytes):
  """A Pillow CMYK image with its profile -> 8-bit sRGB Pillow image; may raise PyCMSError."""
  import io

  from PIL import ImageCms

  return ImageCms.profileToProfile(
    image,
    ImageCms.ImageCmsProfile(io.BytesIO(profile)),
    ImageCms.createProfile("sRGB"),
    renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    outputMode="RGB",
    flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
  )
