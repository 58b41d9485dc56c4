"""Sheets of a photo beside exposures of its reconstruction."""

import numpy as np

from expocm_jax.inference.preview import preview_sheet


def test_preview_shows_photo_and_exposures():
  ldr = np.full((50, 120, 3), 0.5, np.float32)
  hdr = np.full((50, 120, 3), 4.0, np.float32)
  sheet = preview_sheet(ldr, hdr)
  assert sheet.shape == (18 + 50, 4 * 120 + 3 * 2, 3) and sheet.dtype == np.uint8
  panels = [sheet[40, 60 + 122 * index, 0] for index in range(4)]
  assert panels == [128, 255, 255, 137]  # 137: sRGB of 4 / 16
  for shape in ((1, 1, 3), (1, 5000, 3), (5000, 1, 3)):
    sheet = preview_sheet(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    assert sheet.shape[1] <= 1600 and sheet.shape[0] <= 1620
