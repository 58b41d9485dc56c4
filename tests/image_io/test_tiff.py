"""TIFF of 16 bits and of floats."""

import numpy as np
import pytest
import tifffile

from tests.support.photos import WORDS, check


@pytest.mark.parametrize(
  "options",
  [
    {},
    {"compression": "zlib", "predictor": True},
    {"planarconfig": "separate"},
    {"bigtiff": True, "byteorder": ">"},
    {"tile": (16, 16)},
  ],
)
def test_deep_tiff(options, tmp_path):
  data = np.moveaxis(WORDS, -1, 0) if "planarconfig" in options else WORDS
  tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", **options)
  check(tmp_path / "a.tif", WORDS / 65535)


def test_float_samples_and_inverted_grey(tmp_path):
  path = tmp_path / "a.tif"
  floats = np.random.default_rng(0).random((5, 6, 3), np.float32)
  tifffile.imwrite(path, floats, photometric="rgb")
  check(path, floats)
  tifffile.imwrite(path, WORDS[..., 0], photometric="miniswhite")
  check(path, 1 - np.repeat(WORDS[..., :1], 3, -1) / 65535)
