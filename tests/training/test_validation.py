"""Validation against float64 NumPy, its sheet, and records that do not fill a batch."""

import jax
import numpy as np
import pytest

from expocm_jax.method.expocm import Method
from expocm_jax.training import validation
from expocm_jax.training.processes import make_mesh
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")
CONFIG = small_run.config(batch_size=4)
METHOD = Method.from_config(CONFIG)


def records(count):
  batch = small_run.batch(size=count)
  return [{"ldr": ldr, "hdr": hdr} for ldr, hdr in zip(batch["ldr"], batch["hdr"], strict=True)]


def psnr64(image, hdr, where):
  encoded = [
    np.log1p(5000 * np.clip(np.float64(x) / 16, 0, 1)) / np.log1p(5000) for x in (image, hdr)
  ]
  error = np.mean((encoded[0] - encoded[1]) ** 2, axis=-1)
  return -10 * np.log10(error[where].mean())


def linear64(ldr):
  ldr = np.float64(ldr)
  return np.where(ldr <= 0.04045, ldr / 12.92, ((ldr + 0.055) / 1.055) ** 2.4)


def test_scores_of_the_input_are_those_of_numpy_also_when_the_last_batch_is_not_full():
  some = records(6)  # of batches of four
  params = METHOD.init_params(jax.random.key(0))
  mesh = make_mesh(jax.devices()[:2])
  result = validation.Validator(CONFIG, METHOD, mesh, some, sheet_records=5)(params)
  largest = [record["ldr"].max(axis=-1) for record in some]
  for region, inside in (
    ("all", [x >= 0 for x in largest]), ("clipped", [x >= 253.5 / 255 for x in largest]),
  ):  # fmt: skip
    expected = [
      psnr64(linear64(r["ldr"]), r["hdr"], where) for r, where in zip(some, inside) if where.any()
    ]
    np.testing.assert_allclose(result.scores[f"input/{region}"], np.mean(expected), rtol=1e-4)
  # An untrained network returns the photo, up to a little noise.
  np.testing.assert_allclose(result.scores["output/all"], result.scores["input/all"], atol=0.3)
  panels, gap = 8, validation.GAP
  assert result.sheet.shape == (5 * (16 + gap), panels * (16 + gap), 3)
  assert 0 <= result.sheet.min() and result.sheet.max() <= 1
  np.testing.assert_array_equal(result.sheet[:16, :16], some[0]["ldr"])


def test_a_mean_leaves_out_records_without_the_region():
  assert validation.mean_score(np.float32([1.0, np.nan, 3.0])) == 2.0
  assert np.isnan(validation.mean_score(np.float32([np.nan])))
