"""DDPM and DDIM: schedule and steps against float64, samplers with a perfect denoiser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.method import diffusion

BETAS = np.linspace(1e-4, 0.02, 1000)
BARS = np.concatenate([[1.0], np.cumprod(1 - BETAS)])


def test_the_schedule_is_that_of_the_paper():
  np.testing.assert_allclose(diffusion.alpha_bar(jnp.arange(1001)), BARS, rtol=1e-5)
  assert BARS[-1] < 1e-4  # almost pure noise


def test_an_ancestral_step_is_ddpms_posterior():
  rng = np.random.default_rng(0)
  z_n, clean, noise = rng.normal(size=(3, 2, 4, 4, 3))
  for n in (2, 300, 1000):
    a, previous, beta = BARS[n], BARS[n - 1], BETAS[n - 1]
    # Ho et al. 2020, eq. 7.
    mean = np.sqrt(previous) * beta * clean + np.sqrt(1 - beta) * (1 - previous) * z_n
    mean /= 1 - a
    wanted = mean + np.sqrt((1 - previous) / (1 - a) * beta) * noise
    got = diffusion.step(*(jnp.float32(x) for x in (z_n, clean, noise, a, previous)), eta=1.0)
    np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-4)


def test_a_deterministic_step_keeps_clean_image_and_noise():
  rng = np.random.default_rng(1)
  clean, eps, other = rng.normal(size=(3, 4, 4, 3)).astype(np.float32)
  a, a_next = jnp.float32(0.3), jnp.float32(0.8)
  got = diffusion.step(diffusion.diffuse(clean, eps, a), clean, other, a, a_next, eta=0.0)
  np.testing.assert_allclose(got, np.sqrt(0.8) * clean + np.sqrt(0.2) * eps, atol=1e-5)


def test_the_clean_estimate_inverts_the_noising_and_is_clipped():
  rng = np.random.default_rng(2)
  clean = rng.uniform(-1, 1, (8, 8, 3)).astype(np.float32)
  eps = rng.normal(size=clean.shape).astype(np.float32)
  a = jnp.float32(0.4)
  z_n = diffusion.diffuse(clean, eps, a)
  np.testing.assert_allclose(diffusion.clean_estimate(z_n, eps, a), clean, atol=1e-5)
  assert float(jnp.max(jnp.abs(diffusion.clean_estimate(z_n, -eps, a)))) == 1.0


@pytest.mark.parametrize(("steps", "eta"), [(1, 0.0), (50, 0.0), (1000, 1.0), (7, 1.0)])
def test_samplers_reach_the_image_of_a_perfect_denoiser(steps, eta):
  clean = jnp.linspace(-0.9, 0.9, 48).reshape(4, 4, 3)
  calls = []

  def perfect(z_n, n):
    calls.append(n)
    a = diffusion.alpha_bar(n)
    return (z_n - jnp.sqrt(a) * clean) / jnp.sqrt(1.0 - a)

  out = diffusion.sample(perfect, clean.shape, jax.random.key(0), steps=steps, eta=eta)
  np.testing.assert_allclose(out, clean, atol=1e-4)
  assert len(calls) == 1  # traced once: the loop is compiled


def test_samplers_reproduce_a_gaussian():
  """For data N(0, s^2) the best estimate of eps is linear, and samples must have spread s."""
  spread = 0.2

  def best(z_n, n):
    a = diffusion.alpha_bar(n)
    return jnp.sqrt(1.0 - a) * z_n / (a * spread**2 + 1.0 - a)

  for steps, eta in ((100, 0.0), (1000, 1.0)):
    out = diffusion.sample(best, (64, 64, 1), jax.random.key(1), steps=steps, eta=eta)
    assert float(jnp.std(out)) == pytest.approx(spread, rel=0.1)


def test_levels_run_from_noise_to_image():
  assert list(diffusion.sampling_levels(4)) == [1000, 750, 500, 250, 0]
  assert (np.diff(diffusion.sampling_levels(1000)) == -1).all()
  for count in (0, 1001):
    with pytest.raises(ValueError, match="1 to 1000"):
      diffusion.sampling_levels(count)
