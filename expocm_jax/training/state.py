"""What a checkpoint holds of a run: exactly this, nothing that can be derived."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from expocm_jax.method.expocm import Method
from expocm_jax.training.optimizer import make_optimizer
from expocm_jax.training.processes import replicated


class TrainState(NamedTuple):
  """Step and parameters; all float32 and replicated."""

  step: jax.Array  # [] int32, steps done
  params: dict  # theta
  target_params: dict  # theta minus, the EMA that gives the consistency target
  ema_params: dict  # the slower EMA that evaluation and inference use
  opt_state: optax.OptState


def create_state(config: ConfigDict, method: Method, mesh: Mesh) -> TrainState:
  """A fresh state, born on every device of the mesh.

  With `config.consistency.target = "stop_gradient"` there is no target network, and
  `target_params` is an empty dict.
  """
  with_target = config.consistency.target == "ema"

  def init(key: jax.Array) -> TrainState:
    params = method.init_params(key)
    return TrainState(
      step=jnp.zeros((), jnp.int32),
      params=params,
      target_params=jax.tree.map(jnp.copy, params) if with_target else {},
      ema_params=jax.tree.map(jnp.copy, params),
      opt_state=make_optimizer(config).init(params),
    )

  return jax.jit(init, out_shardings=replicated(mesh))(jax.random.key(config.seed))
