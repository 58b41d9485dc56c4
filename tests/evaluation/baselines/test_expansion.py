"""Untrained operators: against their formulas in float64, and by property."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.evaluation.baselines import expansion

RNG = np.random.default_rng(0)
LDR = RNG.uniform(0, 1, (2, 6, 5, 3)).astype(np.float32)
OPERATORS = expansion.OPERATORS | {"akyuz": functools.partial(expansion.akyuz, peak=16.0)}


def linear(x):
  x = x.astype(np.float64)
  return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def luminance(rgb):
  return (rgb @ np.array([0.2126, 0.7152, 0.0722]))[..., None]


def tone_curve(hdr):
  """Method C from HDR to SDR, cd/m^2, as the report prints it."""
  k1, k2, k3, k4 = 0.83802, 15.09968, 0.74204, 78.99439
  inflection = 58.5 / k1
  bright = k2 * np.log(np.maximum(hdr / inflection, 1.0) - k3) + k4
  return np.where(hdr < inflection, k1 * hdr, bright)


def test_bt2446c_is_undone_by_the_reports_curve():
  out = np.asarray(expansion.bt2446c(LDR), np.float64)
  back = tone_curve(luminance(out) * 100 / 0.83802)
  np.testing.assert_allclose(back, 100 * luminance(linear(LDR)), rtol=2e-5, atol=1e-4)


def test_bt2446c_leaves_mid_tones_and_expands_white():
  grey = jnp.full((1, 1, 3), 0.5)
  np.testing.assert_allclose(expansion.bt2446c(grey), linear(np.float32([0.5]))[0], rtol=1e-6)
  white = 58.5 * (np.exp((100 - 78.99439) / 15.09968) + 0.74204) / 100
  np.testing.assert_allclose(expansion.bt2446c(jnp.ones((1, 1, 3))), white, rtol=1e-5)


@pytest.mark.parametrize("gamma", [1.0, 2.2])
def test_akyuz_is_the_papers_formula(gamma):
  rgb = linear(LDR)
  light = luminance(rgb)
  low, high = (f(light, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
  wanted = rgb / light * 8.0 * ((light - low) / (high - low)) ** gamma
  np.testing.assert_allclose(
    expansion.akyuz(LDR, peak=8.0, gamma=gamma), wanted, rtol=1e-4, atol=1e-5
  )


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_uniform_images_stay_finite_and_grey(name, level):
  out = np.asarray(OPERATORS[name](jnp.full((4, 4, 3), level)))
  assert np.isfinite(out).all() and np.ptp(out) == 0 and out.min() >= 0


@pytest.mark.parametrize("name", OPERATORS)
def test_hue_stays_and_brighter_is_brighter(name):
  ramp = np.linspace(0.02, 1.0, 50, dtype=np.float32)[:, None, None] * np.float32([1, 0.8, 0.5])
  out = np.asarray(OPERATORS[name](ramp))
  assert (np.diff(out.sum((1, 2))) > 0).all()
  ratio = linear(ramp)[1:, 0]
  np.testing.assert_allclose(out[1:, 0] / out[1:, 0, :1], ratio / ratio[:, :1], rtol=1e-4)


def test_a_batch_is_its_images():
  for operator in OPERATORS.values():
    np.testing.assert_allclose(jax.vmap(operator)(LDR), operator(LDR), rtol=1e-5)


def test_every_operator_has_a_label():
  assert set(expansion.OPERATORS) == set(expansion.LABELS)
