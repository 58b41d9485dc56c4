"""The estimator: its statistics against loops in float64, its curve by its properties."""

import itertools

import jax
import numpy as np
import pytest

from configs import response as response_config
from expocm_jax.network import response_estimator
from tests.network.test_tone_curve import statistics64

CONFIG = response_config.get_config()
MU = 5000 / 16
CODES = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def level64(code):
  x = code / 255
  linear = x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
  return np.log(1 + MU * linear) / np.log(1 + MU)


def slopes64(codes, n):
  """Neighbour by neighbour, channel by channel."""
  height, width = codes.shape[:2]
  changes = np.zeros((n, n))
  for row, column, (down, right) in itertools.product(
    range(height), range(width), [(0, 1), (1, 0)]
  ):
    if row + down == height or column + right == width:
      continue
    pair = codes[row, column].astype(int), codes[row + down, column + right].astype(int)
    if max(pair[0].max(), pair[1].max()) >= 254:
      continue
    steps = [min(int(n * level64((pair[0][c] + pair[1][c]) // 2)), n - 1) for c in range(3)]
    for here, there in itertools.permutations(range(3), 2):
      change = abs(level64(pair[0][here]) - level64(pair[1][here]))
      changes[steps[here], steps[there]] += change
  changes = changes / changes.sum() + 1e-4
  return [np.log(changes[i, j] / changes[j, i]) for i in range(n) for j in range(i + 1, n)]


def test_statistics_agree_with_the_reference():
  got = response_estimator.statistics(CODES, CONFIG)
  bins, n = CONFIG.estimator.bins, CONFIG.estimator.slope_levels
  levels = np.vectorize(level64)(CODES)
  tone = statistics64(levels, bins)
  wanted = [0.5 * np.log(tone[:3] + 1e-3) + 2.5, 10 * tone[3:], slopes64(CODES, n)]
  assert got.dtype == np.float32
  np.testing.assert_allclose(got, np.concatenate([np.ravel(w) for w in wanted]), atol=2e-4)


def test_slopes_of_linear_light_are_equal_and_tell_a_gamma():
  """Shading of one surface: channels at different levels, changes in one ratio."""
  shading = np.exp(np.random.default_rng(0).normal(-1.5, 0.4, (64, 64, 1)))
  linear = np.clip(shading * np.array([0.9, 0.35, 0.12]), 0, 1)
  encode = lambda x: np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
  n = 4
  first = 6 * CONFIG.estimator.bins
  config = CONFIG.copy_and_resolve_references()
  config.estimator.slope_levels = n
  read = lambda v: response_estimator.statistics(np.rint(255 * v).astype(np.uint8), config)[first:]
  plain, contrast = read(encode(linear)), read(encode(linear) ** 1.5)
  upper = list(zip(*np.triu_indices(n, 1))).index((2, 3))
  assert abs(plain[upper]) < 0.15  # of high levels, which are about logarithmic
  assert not np.allclose(plain, contrast, atol=0.2)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_photo_has_finite_statistics(level):
  got = response_estimator.statistics(np.full((5, 4, 3), level, np.uint8), CONFIG)
  assert np.isfinite(got).all()
  assert np.isfinite(response_estimator.statistics(CODES[:1, :1], CONFIG)).all()


def test_the_curve_is_srgb_at_first_and_always_rises_from_0_to_1():
  params = response_estimator.init_params(CONFIG, jax.random.key(0))
  model = response_estimator.from_config(CONFIG.estimator)
  seen = np.stack([response_estimator.statistics(c, CONFIG) for c in (CODES, 255 - CODES)])
  identity = np.linspace(0, 1, CONFIG.estimator.knots)
  heights = model.apply({"params": params}, seen)
  np.testing.assert_allclose(heights, np.broadcast_to(identity, heights.shape), atol=1e-6)
  table = response_estimator.curve_table(heights[0], mu=MU)
  codes = np.arange(256) / 255
  srgb = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
  np.testing.assert_allclose(table, np.repeat(srgb[:, None], 3, axis=1), atol=2e-6)
  params["Dense_2"]["kernel"] = np.random.default_rng(0).standard_normal(
    params["Dense_2"]["kernel"].shape, np.float32
  )
  heights = np.asarray(model.apply({"params": params}, seen))
  assert np.abs(heights[0] - heights[1]).max() > 1e-3
  assert (np.diff(heights) > 0).all()
  np.testing.assert_allclose(heights[..., [0, -1]], np.broadcast_to([0, 1], (2, 3, 2)), atol=1e-6)
  assert (np.diff(response_estimator.curve_table(heights[0], mu=MU), axis=0) >= 0).all()


def test_a_table_is_the_curve_at_the_codes():
  heights = np.sort(np.random.default_rng(0).uniform(size=(3, 5)), axis=1)
  heights[:, 0], heights[:, -1] = 0, 1
  got = response_estimator.curve_table(heights, mu=MU)
  for code in (1, 17, 100, 254):
    for channel in range(3):
      level = np.interp(level64(code), np.linspace(0, 1, 5), heights[channel])
      wanted = ((1 + MU) ** level - 1) / MU
      assert got[code, channel] == pytest.approx(wanted, rel=1e-4)
