"""Learning rates as a table, averages in closed form, and AdamW's first step."""

import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.training import optimizer
from tests.support import small_run


def changed(**fields):
  config = small_run.config()
  config.update_from_flattened_dict(fields)
  return config


def test_learning_rate_has_a_cosine_a_phase():
  config = changed(**{
    "train.phase1_steps": 100, "train.phase2_steps": 50, "optim.peak_lr": 1e-3,
    "optim.final_lr": 1e-5, "optim.phase2_lr": 1e-4, "optim.warmup_steps": 10,
  })  # fmt: skip
  rate = optimizer.learning_rate(config)
  cosine = lambda high, share: 1e-5 + (high - 1e-5) * (1 + np.cos(np.pi * share)) / 2
  wanted = {
    0: 0.0, 5: 5e-4, 10: 1e-3, 55: cosine(1e-3, 0.5), 99: cosine(1e-3, 89 / 90),
    100: 1e-4, 125: cosine(1e-4, 0.5), 150: 1e-5,
  }  # fmt: skip
  np.testing.assert_allclose([rate(k) for k in wanted], list(wanted.values()), rtol=1e-3)


def test_an_average_of_constant_parameters_comes_near_them_geometrically():
  average, params = {"a": jnp.zeros(3)}, {"a": jnp.full(3, 2.0)}
  for _ in range(5):
    average = optimizer.moving_average(average, params, 0.9)
  np.testing.assert_allclose(average["a"], 2.0 * (1 - 0.9**5), rtol=1e-6)


def test_a_young_average_forgets_its_start():
  rates = [optimizer.warm_decay(0.99, jnp.int32(step)) for step in (0, 90, 10_000)]
  np.testing.assert_allclose(rates, [0.1, 0.91, 0.99], rtol=1e-6)


def test_the_first_step_is_adamw_with_the_gradient_clipped():
  config = changed(**{
    "optim.warmup_steps": 0, "optim.peak_lr": 1e-2,
    "optim.weight_decay": 0.1, "optim.grad_clip": 1.0,
  })  # fmt: skip
  tx = optimizer.make_optimizer(config)
  params, gradient = {"a": jnp.float32([1.0, -2.0])}, {"a": jnp.float32([30.0, -40.0])}
  with jax.numpy_dtype_promotion("standard"):  # optax mixes integers and floats
    updates, _ = tx.update(gradient, tx.init(params), params)
  # Adam's first step has the gradient's signs, whatever its length; the decay is the weights' own.
  expected = -1e-2 * (np.sign(gradient["a"]) + 0.1 * params["a"])
  np.testing.assert_allclose(updates["a"], expected, rtol=1e-4)
