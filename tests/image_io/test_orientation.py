"""EXIF orientation, in each format that can tell it."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from expocm_jax.image_io import read_ldr


# The transforms of the EXIF specification: where the stored first row and column are seen.
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "PNG16", "TIFF16"])
@pytest.mark.parametrize(
  "orientation, sides",
  [
    (1, "top left"),
    (2, "top right"),
    (3, "bottom right"),
    (4, "bottom left"),
    (5, "left top"),
    (6, "right top"),
    (7, "right bottom"),
    (8, "left bottom"),
  ],
)
def test_orientation(fmt, orientation, sides, tmp_path):
  stored = np.zeros((16, 32), np.uint8)
  stored[:8] += 60  # row 0 is bright
  stored[:, :16] += 120  # and column 0 more so
  exif = Image.Exif()
  exif[274] = orientation
  path = tmp_path / "a"
  if fmt == "TIFF16":
    tifffile.imwrite(
      path,
      stored.astype(np.uint16) * 257,
      photometric="minisblack",
      extratags=[(274, 3, 1, orientation, True)],
    )
  elif fmt == "PNG16":
    plain = io.BytesIO()
    Image.fromarray(stored.astype(np.uint16) * 257).save(plain, "PNG", exif=exif)
    path.write_bytes(plain.getvalue())
  else:
    options = {"quality": 100} if fmt == "JPEG" else {"lossless": True} if fmt == "WEBP" else {}
    Image.fromarray(stored).convert("RGB").save(path, fmt, exif=exif, **options)
  image = read_ldr(path)[..., 0]
  halves = {
    "top": image[: len(image) // 2],
    "bottom": image[len(image) // 2 :],
    "left": image[:, : image.shape[1] // 2],
    "right": image[:, image.shape[1] // 2 :],
  }
  means = {side: float(half.mean()) for side, half in halves.items()}
  row, column = sides.split()
  opposite = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
  assert image.shape == ((16, 32) if orientation < 5 else (32, 16))
  assert means[row] - means[opposite[row]] == pytest.approx(60 / 255, abs=0.02)
  assert means[column] - means[opposite[column]] == pytest.approx(120 / 255, abs=0.02)
