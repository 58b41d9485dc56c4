import functools

import colour
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.ops import tone_curves

mu_law = functools.partial(tone_curves.mu_law, mu=5000.0)
inverse_mu_law = functools.partial(tone_curves.inverse_mu_law, mu=5000.0)
EDGES = np.float32([-2, -0.5, -1e-6, 0, 1e-9, 1e-4, 0.5, 1, 4])


@pytest.mark.parametrize("mu", [5000.0, 50.0])
def test_mu_law_matches_its_formula(mu):
  x = np.concatenate([np.linspace(0, 1, 101), 10.0 ** np.arange(-12, 0)]).astype(np.float32)
  wide = np.float64(x)
  np.testing.assert_allclose(
    tone_curves.mu_law(x, mu=mu), np.log1p(mu * wide) / np.log1p(mu), rtol=2e-6
  )
  np.testing.assert_allclose(
    tone_curves.inverse_mu_law(x, mu=mu), np.expm1(wide * np.log1p(mu)) / mu, rtol=4e-6
  )


def test_mu_law_maps_the_unit_interval_onto_itself():
  ends = np.float32([0, 1])
  np.testing.assert_allclose(mu_law(ends), ends, rtol=1e-6)
  np.testing.assert_allclose(inverse_mu_law(ends), ends, rtol=2e-6)


def test_mu_law_round_trip_for_all_signs():
  np.testing.assert_allclose(inverse_mu_law(mu_law(EDGES)), EDGES, rtol=1e-5, atol=1e-12)
  np.testing.assert_array_equal(mu_law(-EDGES), -mu_law(EDGES))


def test_mu_law_slope_at_black():
  log = np.log1p(5000)
  np.testing.assert_allclose(jax.grad(mu_law)(0.0), 5000 / log, rtol=1e-6)
  np.testing.assert_allclose(jax.grad(inverse_mu_law)(0.0), log / 5000, rtol=1e-6)


def test_pu21_check_values():
  got = tone_curves.pu21_encode(np.float32([1, 100, 1000, 10000]))
  np.testing.assert_allclose(got, [36.544, 256.384, 420.097, 595.394], atol=1e-3)


def test_pu21_matches_float64_is_monotonic_and_clips():
  p = [
    0.353487901,
    0.3734658629,
    8.277049286e-05,
    0.9062562627,
    0.09150303166,
    0.9099517204,
    596.3148142,
  ]
  y = np.geomspace(0.005, 1e4, 300)
  z = y ** p[3]
  expected = np.maximum(p[6] * (((p[0] + p[1] * z) / (1 + p[2] * z)) ** p[4] - p[5]), 0)
  got = tone_curves.pu21_encode(y.astype(np.float32))
  np.testing.assert_allclose(got, expected, atol=1e-3)
  assert (np.diff(got) > 0).all()
  outside = tone_curves.pu21_encode(np.float32([-1, 0, 1e5]))
  np.testing.assert_allclose(outside, expected[[0, 0, -1]], atol=1e-3)


def test_pq_matches_colour_and_comes_back():
  nits = np.geomspace(0.005, 1e7, 120)  # above 10000 the formula goes on
  code = tone_curves.pq_encode(nits.astype(np.float32))
  np.testing.assert_allclose(code, colour.models.eotf_inverse_ST2084(nits), rtol=2e-5)
  np.testing.assert_allclose(tone_curves.pq_decode(code), nits, rtol=2e-5)
  ends = tone_curves.pq_decode(np.float32([-1, 0, 2]))
  np.testing.assert_allclose(ends, [0.005, 0.005, 1e8], rtol=1e-4)


@pytest.mark.parametrize("function", [mu_law, inverse_mu_law, tone_curves.pu21_encode])
def test_gradients_are_finite_dtype_is_kept_and_integers_are_refused(function):
  assert jax.eval_shape(function, EDGES).dtype == jnp.float32
  assert np.isfinite(jax.jit(jax.grad(lambda x: function(x).sum()))(EDGES)).all()
  with pytest.raises(AssertionError):
    function(np.arange(3))
