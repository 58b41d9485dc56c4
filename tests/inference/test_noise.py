"""The noise of inference depends on seed and position alone, and is white and normal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from expocm_jax.inference.noise import noise_window


@pytest.fixture(scope="module")
def draw():
  return jax.jit(noise_window, static_argnums=2)


def test_noise_depends_on_the_position_alone(draw):
  key = jax.random.key(3)
  window = draw(key, jnp.array([-40, -72], jnp.int32), (160, 160))
  part = draw(key, jnp.array([16, -8], jnp.int32), (48, 72))
  np.testing.assert_array_equal(part, window[56:104, 64:136])


def test_noise_is_white_and_normal(draw):
  noise = np.asarray(draw(jax.random.key(0), jnp.array([-64, -64], jnp.int32), (160, 160)))
  assert stats.kstest(np.ravel(noise), "norm").pvalue > 1e-3
  spectrum = np.abs(np.fft.fft2(noise, axes=(0, 1))) ** 2 / 160**2  # of white noise: Exp(1)
  assert stats.kstest(np.ravel(spectrum[1:80]), "expon").pvalue > 1e-3
  channels = np.corrcoef(noise.reshape(-1, 3).T) - np.eye(3)
  other = draw(jax.random.key(1), jnp.array([-64, -64], jnp.int32), (160, 160))
  seeds = np.corrcoef(np.ravel(noise), np.ravel(other))[0, 1]
  assert max(np.abs(channels).max(), abs(seeds)) < 0.03  # standard errors of 0.006 and 0.004
