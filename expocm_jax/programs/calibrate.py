"""A camera's response from an exposure bracket of one static scene: `--mode=calibrate`."""

import fractions
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import ExifTags, Image

from expocm_jax import image_io
from expocm_jax.errors import UserError, first_line
from expocm_jax.inference.response import CODES, ResponseCurve, write_response_csv

METHODS = ("debevec", "robertson")
SAMPLES, SMOOTHNESS = 300, 30.0  # of OpenCV's Debevec: pixels, and weight beside them
TRUSTED = (5, 240)  # codes; JPEG brings clipped pixels, black or white, some codes inwards
LEAST_RATIO = 1.1  # of the longest exposure over the shortest
_REMEDY = "give --exposures=1/60,1/15,... in the order of the photos"


def main(
  *,
  input: str | os.PathLike | Iterable[str | os.PathLike],
  output: str | os.PathLike,
  method: str = "debevec",
  exposures: Sequence[str] | None = None,
) -> ResponseCurve:
  """Writes the curve of a bracket to the CSV file `output`, for `--response=FILE`.

  The methods are OpenCV's: Debevec and Malik, Recovering high dynamic range radiance maps from
  photographs (1997); Robertson, Borman, Stevenson, Estimation-theoretic approach to dynamic range
  enhancement using multiple exposures (2003). What they give at either end, where pixels are
  clipped, is replaced: code 0 is black, and the way to code 255 is the exponential of the codes
  before. The curve is made rising, and scaled to 1 at code 255.

  Args:
    input: photos of one size, or a folder of them: the same scene from a tripod.
    output: a file ending in .csv.
    method: one of METHODS.
    exposures: exposure time of each photo, "1/60" or "0.5" seconds, in the order of the photos;
      None takes time, ISO and f-number from their EXIF.

  Raises:
    UserError: OpenCV is missing, photos cannot be read or used together, exposures are missing or
      all alike, or the file cannot be written.
  """
  try:
    import cv2
  except ImportError as error:
    raise UserError(
      "--mode=calibrate: needs OpenCV; pip install 'expocm_jax[calibrate]', or "
      "pip install opencv-python-headless"
    ) from error
  if pathlib.Path(output).suffix.lower() != ".csv":
    raise UserError(f"--output={output}: curves are written as .csv; change the name")
  paths = [input] if isinstance(input, str | os.PathLike) else list(input)
  photos = [file for path in paths for file in image_io.list_images(path, image_io.LDR_SUFFIXES)]
  times = _exposures(photos, exposures)
  images = [np.rint(255 * image_io.read_ldr(photo)).astype(np.uint8) for photo in photos]
  for photo, image in zip(photos, images, strict=True):
    if image.shape != images[0].shape:
      raise UserError(
        f"{photo}: {image.shape[1]} x {image.shape[0]} pixels, {photos[0].name} has "
        f"{images[0].shape[1]} x {images[0].shape[0]}; give photos of one size"
      )
  makers = {
    "debevec": lambda: cv2.createCalibrateDebevec(SAMPLES, SMOOTHNESS, False),
    "robertson": cv2.createCalibrateRobertson,
  }
  try:
    response = makers[method]().process(images, times.astype(np.float32))
  except cv2.error as error:
    raise UserError(f"{photos[0]}: no response was found ({first_line(error)}); give more photos "
                    "of the scene, darker and brighter ones") from error  # fmt: skip
  curve = _curve(response.reshape(CODES, 3).astype(np.float64))
  if curve is None:
    raise UserError(f"{photos[0]}: no response was found, some codes occur nowhere; give more "
                    "photos of the scene, darker and brighter ones")  # fmt: skip
  write_response_csv(output, curve)
  print(f"{output}: response of {len(photos)} photos, {np.log2(times.max() / times.min()):.1f} "
        f"stops apart; use it with --response={output}")  # fmt: skip
  return curve


def _curve(response: np.ndarray) -> ResponseCurve | None:
  """The curve of relative radiances [256, 3] of the codes; None if they do not tell it."""
  low, high = TRUSTED
  inner = response[low : high + 1]
  if not (np.isfinite(inner).all() and (inner > 0).all()):
    return None
  inner = np.maximum.accumulate(inner)
  step = CODES - 1 - high
  top = inner[-1] * (inner[-1] / inner[-1 - 2 * step]) ** 0.5
  known = np.concatenate([[0], np.arange(low, high + 1), [CODES - 1]])
  values = np.concatenate([np.zeros((1, 3)), inner / top, np.ones((1, 3))])
  linear = np.stack([np.interp(np.arange(CODES), known, column) for column in values.T], axis=1)
  return ResponseCurve(np.linspace(0.0, 1.0, CODES), linear)


def _exposures(photos: Sequence[pathlib.Path], given: Sequence[str] | None) -> np.ndarray:
  """The relative exposure of each photo, [N] float64 above 0."""
  if given is None:
    times = [_from_exif(photo) for photo in photos]
  else:
    times = [_number(text) for text in given]
    if len(times) != len(photos):
      raise UserError(f"--exposures: {len(times)} for {len(photos)} photos; {_REMEDY}")
  if max(times) < LEAST_RATIO * min(times):
    raise UserError(f"--input: {len(photos)} photo(s) of one exposure; give a bracket of several")
  return np.array(times)


def _number(text: str) -> float:
  try:
    value = float(fractions.Fraction(text.strip()))
  except (ValueError, ZeroDivisionError):
    value = 0.0
  if not 0 < value < 1e6:
    raise UserError(f"--exposures={text}: no exposure time in seconds; {_REMEDY}")
  return value


def _from_exif(photo: pathlib.Path) -> float:
  """Time x ISO / f-number^2; the last two count as one where they are not told."""
  try:
    with Image.open(photo) as image:
      exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
    read = lambda tag, default: float(exif.get(tag, default))
    iso = exif.get(ExifTags.Base.ISOSpeedRatings, 1)
    iso = float(iso[0] if isinstance(iso, tuple) else iso)
    time, aperture = read(ExifTags.Base.ExposureTime, 0), read(ExifTags.Base.FNumber, 1)
    exposure = time * iso / aperture**2
  except (OSError, SyntaxError, ValueError, TypeError, ArithmeticError):
    exposure = 0.0
  if not 0 < exposure < np.inf:
    raise UserError(f"{photo}: its EXIF tells no exposure time; {_REMEDY}")
  return exposure
