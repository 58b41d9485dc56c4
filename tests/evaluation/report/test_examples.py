"""The picture of an evaluation: which images it shows, and what stands in a row."""

import numpy as np
import pytest
from PIL import Image

from expocm_jax import image_io
from expocm_jax.evaluation.report import examples


def record_of(gains, protocol="headroom"):
  """An evaluation record of one image a gain; None = the image has no score."""
  return {
    "main": "net",
    "protocols": {protocol: "", "other": ""},
    "cameras": {"own": ""},
    "images": [
      {
        "name": f"view{index}",
        "scores": {
          "linear": {protocol: {"psnr_mu/all": 30.0}, "other": {"psnr_mu/all": 10.0}},
          "net": {
            protocol: {"psnr_mu/all": None if gain is None else 30.0 + gain},
            "other": {"psnr_mu/all": 50.0 - index},
          },
        },
      }
      for index, gain in enumerate(gains)
    ],
  }


def test_best_middle_and_worst_are_chosen():
  gains = [2.0, -1.0, 9.0, 0.0, 5.0, 1.0, -3.0, 3.0, 4.0, 8.0, 7.0, 6.0]
  rows = examples.choose(record_of(gains))
  assert [gain for _, gain in rows] == [9.0, 8.0, 7.0, 4.0, 3.0, 0.0, -1.0, -3.0]
  assert rows[0][0]["name"] == "view2" and rows[-1][0]["name"] == "view6"


@pytest.mark.parametrize("gains", [[0.5], [1.0, None, float("nan"), -2.0], []])
def test_few_images_are_all_shown_and_those_without_score_never(gains):
  there = sorted((g for g in gains if g is not None and np.isfinite(g)), reverse=True)
  assert [gain for _, gain in examples.choose(record_of(gains))] == there


def test_a_row_has_photo_output_and_truth(tmp_path):
  record = record_of([1.0, -1.0])
  for index, image in enumerate(record["images"]):
    width = 100 + 20 * index
    values = {"output": 1.0, "reference": 4.0}
    image["files"] = {name: f"{index}.{name}.exr" for name in values} | {"ldr": f"{index}.png"}
    image_io.write_png(tmp_path / f"{index}.png", np.full((96, width, 3), 0.5, np.float32))
    for name, value in values.items():
      hdr = np.full((96, width, 3), value, np.float32)
      image_io.write_hdr(tmp_path / f"{index}.{name}.exr", hdr, exr_dtype="float")
  examples.write(tmp_path, record)
  sheet = np.asarray(Image.open(tmp_path / "examples.jpg")).astype(int)
  assert sheet.shape == (2 * (18 + 96), 7 * 120 + 6 * 2, 3)
  values = [sheet[60, 50 + 102 * panel, 1] for panel in range(7)]
  # sRGB codes of 1, 1/4 and 1/16, and of 4, 1 and 1/4; a JPEG is within a few codes.
  np.testing.assert_allclose(values, [128, 255, 137, 71, 255, 255, 137], atol=4)


def test_without_scores_there_is_no_picture(tmp_path):
  examples.write(tmp_path, record_of([None]))
  assert not list(tmp_path.iterdir())
