import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.method import consistency

SHAPE = (2, 4, 5, 3)
RNG = np.random.default_rng(0)
compiled = jax.jit(consistency.consistency_function, static_argnames="residual")
X, Y, F = (RNG.normal(size=SHAPE).astype(np.float32) for _ in range(3))


def f(*args, delta=0.05, residual=True):
  return compiled(*args, delta=delta, residual=residual)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("delta", [0.05, 0.3])
def test_f_matches_its_formula(delta, residual):
  t = np.array([0.07, 0.8])
  square = (t**2 + delta**2)[:, None, None, None]
  skip, out = delta**2 / square, t[:, None, None, None] / np.sqrt(square)
  expected = skip * np.float64(X) + residual * (1 - skip) * np.float64(Y) + out * np.float64(F)
  got = f(F, X, t.astype(np.float32), Y, delta=delta, residual=residual)
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, expected, atol=2e-6)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("delta", [0.05, 0.3, 1e-3])
def test_boundary_f_at_zero_is_exactly_x(delta, residual):
  huge, t = 1e6 * F, np.zeros(2, np.float32)
  options = {"delta": delta, "residual": residual}
  eager = consistency.consistency_function(huge, X, t, Y, **options)
  for got in (
    eager,
    f(huge, X, t, Y, **options),
    jax.jit(lambda *args: consistency.consistency_function(*args, **options))(huge, X, t, Y),
  ):
    np.testing.assert_array_equal(got, X)


def test_pixels_are_lost_near_black_and_white_by_their_largest_channel():
  levels = np.float32([0.2, 0.3, 0.8, 0.9])
  largest = np.float32([0.0, 0.2, 0.25, 0.3, 0.5, 0.8, 0.825, 0.9, 1.0])
  y = np.stack([largest, 0.5 * largest, 0.0 * largest], axis=-1)[None]
  got = jax.jit(consistency.lost_weight)(y, levels)[0, :, 0]
  np.testing.assert_allclose(got, [1, 1, 0.5, 0, 0, 0, 0.25, 1, 1], atol=1e-6)


def test_a_zero_network_returns_almost_exactly_the_ldr_at_the_start_of_inference():
  got = f(np.zeros_like(X), X, np.ones(2, np.float32), Y)
  leak = 0.05**2 / (1 + 0.05**2)  # 0.25 % of the noise
  np.testing.assert_allclose(got - Y, leak * (X - Y), atol=1e-6)
  assert np.abs(got - Y).max() < 0.0025 * np.abs(X - Y).max() + 1e-6


def test_the_skip_falls_and_the_network_takes_over():
  t = np.linspace(0, 1, 50, dtype=np.float32)
  skip, out = consistency.c_skip(t, delta=0.05), consistency.c_out(t, delta=0.05)
  assert skip[0] == 1 and out[0] == 0
  assert (np.diff(skip) < 0).all() and (np.diff(out) > 0).all()
  np.testing.assert_allclose(consistency.c_skip(np.float32(0.05), delta=0.05), 0.5, rtol=1e-6)
  np.testing.assert_allclose(np.square(np.asarray(out)) + skip, 1, atol=1e-6)


def test_gradients_are_finite_at_both_ends_and_the_boundary_stops_the_network():
  @jax.jit
  def gradients(*args):
    return jax.grad(total, argnums=(0, 1))(*args)

  def total(output, t):
    return jnp.sum(f(output, X, t, Y) ** 2)

  for t in (np.zeros(2, np.float32), np.ones(2, np.float32)):
    by_output, by_time = gradients(F, t)
    assert np.isfinite(by_output).all() and np.isfinite(by_time).all()
    assert bool(np.any(by_output)) == bool(t[0] > 0)


def test_unbatched_equals_batched_and_mismatches_are_refused():
  t = np.float32([0.3, 0.6])
  batched = f(F, X, t, Y)
  got = f(F[1], X[1], t[1], Y[1])
  np.testing.assert_allclose(got, batched[1], atol=1e-7)
  with pytest.raises(AssertionError):
    f(F[..., :1], X, t, Y)
