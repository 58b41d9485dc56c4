"""Baselines: the control that sees no noise, and the diffusion model's loss and weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import ablation
from expocm_jax.errors import UserError
from expocm_jax.inference.reconstructor import Reconstructor
from expocm_jax.method import diffusion
from expocm_jax.method.expocm import Method
from expocm_jax.training.objective import make_curriculum, make_loss
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")


def setup(variant, **fields):
  config = small_run.config()
  config.update_from_flattened_dict(fields)
  config = ablation.apply(config, variant)
  method = Method.from_config(config)
  params = method.init_params(jax.random.key(0))
  # The last layer starts at zero: without this nothing would depend on the input.
  params = jax.tree.map(lambda x: x + 0.05 * jnp.cos(jnp.arange(x.size)).reshape(x.shape), params)
  return config, method, params


def test_regression_is_supervision_from_the_photo_alone():
  config, method, params = setup("regression", **{"consistency.distance": "pseudo_huber"})
  batch = small_run.batch(size=2)
  t, t_prev = make_curriculum(config)[0](jax.random.key(1), jnp.array(5), 2)
  np.testing.assert_array_equal(t, 1)
  np.testing.assert_array_equal(t_prev, 0)
  noise = jax.random.normal(jax.random.key(2), batch["ldr"].shape)
  loss = jax.jit(make_loss(config, method, phase=1))
  first, second = (loss(params, params, batch, n, t, t_prev)[0] for n in (noise, -3 * noise))
  assert first == second  # no noise reaches the network
  # At the start the network returns y: what is left is the distance between y and x0.
  fresh = method.init_params(jax.random.key(0))
  pair = method.encode_ldr(batch["ldr"]), method.encode_hdr(batch["hdr"])
  y, x0 = (np.asarray(image, np.float64) for image in pair)
  error = np.sqrt(np.mean((y - x0) ** 2, axis=(1, 2, 3)))
  got = loss(fresh, fresh, batch, noise, t, t_prev)[0]
  np.testing.assert_allclose(got, np.mean(error), atol=6e-4)  # pseudo-Huber's constant


def test_the_diffusion_loss_is_the_error_of_the_noise():
  config, method, params = setup("diffusion")
  batch = small_run.batch(size=2)
  noise = jax.random.normal(jax.random.key(2), batch["ldr"].shape)
  t = jnp.array([0.2, 1.0])
  got = make_loss(config, method, phase=1)(params, {}, batch, noise, t, t)[0]
  a = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[[199, 999]].reshape(2, 1, 1, 1)
  z = 2 * np.asarray(method.encode_hdr(batch["hdr"]), np.float64) - 1
  z_n = jnp.float32(np.sqrt(a) * z + np.sqrt(1 - a) * np.asarray(noise))
  condition = method.condition(batch["ldr"])
  estimate = method.network.apply({"params": params}, z_n, t, *condition)
  np.testing.assert_allclose(got, np.mean((estimate - noise) ** 2), rtol=1e-4)


def test_diffusion_draws_all_levels():
  config = ablation.apply(small_run.config(), "diffusion")
  t, _ = make_curriculum(config)[0](jax.random.key(0), jnp.array(0), 4096)
  levels = np.round(np.asarray(t) * diffusion.STEPS)
  assert levels.min() >= 1 and levels.max() == diffusion.STEPS
  np.testing.assert_allclose(np.histogram(levels, 4, (1, 1000))[0], 1024, rtol=0.15)


def test_reconstruction_refuses_the_diffusion_baseline():
  config, _, params = setup("diffusion")
  with pytest.raises(UserError, match="objective=diffusion"):
    Reconstructor(config, params)


def test_an_unknown_variant():
  with pytest.raises(UserError, match="'four'; give one.* of full, uniform"):
    ablation.apply(small_run.config(), "four")
