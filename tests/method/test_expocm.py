"""The method of a config: domains, both ends of the trajectory, the untrained network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")
RNG = np.random.default_rng(0)
SHAPE = (2, 16, 16, 3)
LDR, X0, OTHER = (RNG.uniform(0, 1, SHAPE).astype(np.float32) for _ in range(3))
NOISE = RNG.normal(size=SHAPE).astype(np.float32)


def make(**fields):
  config = small_run.config()
  config.update_from_flattened_dict(fields)
  return Method.from_config(config)


def random_params(method):
  """Fresh parameters, the last layer's zeros included, with something added everywhere."""
  return jax.tree.map(lambda p: p + 0.1, method.init_params(jax.random.key(1)))


def linearised64(ldr):
  ldr = np.float64(ldr)
  return np.where(ldr <= 0.04045, ldr / 12.92, ((ldr + 0.055) / 1.055) ** 2.4)


def mu_law64(x):
  return np.log1p(5000 * x) / np.log1p(5000)


def test_an_untrained_network_returns_the_linearised_ldr():
  method = make()
  start = jax.jit(lambda p: method.one_step(p, method.condition(LDR), NOISE, method.masks(LDR)))
  got = np.asarray(start(method.init_params(jax.random.key(0))))
  y = mu_law64(linearised64(LDR) / 16)
  # What is left of the noise is c_skip(1) = 1/401 of x_1 - y, and |x_1 - y| < 1 + 0.6 |noise|.
  assert (np.abs(got - y) < (1 + 0.6 * np.abs(NOISE)) / 401 + 1e-5).all()
  trained = np.asarray(start(random_params(method)))
  assert np.abs(trained - y).max() > 0.1  # the network does have a say


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_at_t_0_the_state_comes_back_exactly_whatever_the_network(dtype):
  method = make(**{"model.dtype": dtype})
  got = jax.jit(lambda p, x, t: method.denoise(p, x, t, method.condition(LDR)))(
    random_params(method), X0, np.zeros(2, np.float32)
  )
  assert got.dtype == jnp.float32
  np.testing.assert_array_equal(got, X0)


def test_kept_pixels_are_the_photo_s_whatever_the_network():
  method = make(**{"consistency.keep": (0.2, 0.3, 0.7, 0.8), "trajectory.sigma_good": 0.0})
  ldr = np.broadcast_to(np.linspace(0, 1, 16, dtype=np.float32)[:, None, None], SHAPE)
  start = jax.jit(lambda p: method.one_step(p, method.condition(ldr), NOISE, method.masks(ldr)))
  change = np.abs(start(random_params(method)) - mu_law64(linearised64(ldr) / 16)).max((0, 2, 3))
  rows = np.linspace(0, 1, 16)
  # What is left is c_skip(1) = 1/401 of the way to x_1.
  assert (change[(rows >= 0.3) & (rows <= 0.7)] < 1.1 / 401).all()
  assert (change[(rows <= 0.2) | (rows >= 0.8)] > 0.1).all()


def test_one_step_forgets_whatever_estimate_it_is_given():
  method = make()
  step = jax.jit(
    lambda p, x0, t: method.sampling_step(p, x0, method.condition(LDR), NOISE, t, method.masks(LDR))
  )
  params, one = random_params(method), np.ones(2, np.float32)
  np.testing.assert_array_equal(step(params, X0, one), step(params, OTHER, one))
  half = np.float32([0.5, 0.5])
  assert np.abs(step(params, X0, half) - step(params, OTHER, half)).max() > 1e-3


@pytest.mark.parametrize("patch", [1, 2])
def test_stride_and_radius_are_those_of_the_network_and_the_blur(patch):
  method = make(**{"model.patch": patch, "trajectory.blur_sigma": 2.4})
  # Worked out for two levels of one block: 14 squares on either side.
  assert method.stride == 2 * patch
  assert method.receptive_radius == 14 * patch + (patch - 1) + 5


def test_domains():
  method = make()
  hdr = np.float32([[[0.0, 1e-4, 0.5], [1.0, 16.0, 40.0]]])
  x0 = method.encode_hdr(hdr)
  np.testing.assert_allclose(x0, mu_law64(np.minimum(np.float64(hdr), 16) / 16), rtol=1e-5)
  np.testing.assert_allclose(method.decode(x0), np.minimum(hdr, 16), rtol=2e-5)
  np.testing.assert_allclose(method.encode_ldr(LDR), mu_law64(linearised64(LDR) / 16), atol=1e-6)


@pytest.mark.parametrize(
  ("variant", "levels"),
  [("three", {0.6, 0.4, 0.25}), ("two", {0.6, 0.25}), ("uniform", {0.5})],
)
def test_a_variant_decides_which_noise_levels_there_are(variant, levels):
  sigmas = {"over": 0.6, "under": 0.4, "good": 0.25, "uniform": 0.5}
  fields = {f"trajectory.sigma_{name}": sigma for name, sigma in sigmas.items()}
  method = make(**fields | {"trajectory.variant": variant})
  ramp = np.repeat(np.linspace(0, 1, 101, dtype=np.float32)[None, :, None], 3, axis=-1)

  @jax.jit
  def end(ldr, noise):
    return method.trajectory_state(ldr, ldr, noise, jnp.float32(1.0), method.masks(ldr))

  sigma = (end(ramp, np.ones_like(ramp)) - end(ramp, np.zeros_like(ramp)))[0, :, 0]
  ends = {round(float(sigma[i]), 4) for i in (0, 50, 100)}
  assert ends == levels


@pytest.mark.parametrize("field", ["trajectory.variant", "objective", "model.dtype"])
def test_unknown_names_are_refused(field):
  with pytest.raises(UserError, match=f"config.{field}: unknown value 'odd'; use one of"):
    make(**{field: "odd"})
