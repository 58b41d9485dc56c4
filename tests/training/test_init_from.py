"""Training that starts from trained weights."""

import jax
import numpy as np
import pytest

from expocm_jax.checkpoints import weights
from expocm_jax.errors import UserError
from expocm_jax.method.expocm import Method
from expocm_jax.training.loop import initial_params, start_from
from expocm_jax.training.processes import make_mesh, replicated
from expocm_jax.training.state import create_state
from tests.support import small_run


@pytest.mark.usefixtures("quick_compiles")
def test_all_three_sets_of_parameters_start_from_the_weights(tmp_path):
  config, mesh = small_run.config(), make_mesh(jax.devices()[:1])
  method = Method.from_config(config)
  trained = method.init_params(jax.random.key(1))
  path = tmp_path / "trained.safetensors"
  weights.save_weights(path, trained, config)

  config.train.init_from = str(path)
  fresh = create_state(config, method, mesh)
  state = start_from(fresh, initial_params(config, method), replicated(mesh))
  for params in (state.params, state.target_params, state.ema_params):
    jax.tree.map(np.testing.assert_array_equal, params, trained)
  assert state.step == 0 and state.opt_state is fresh.opt_state

  config.model.base_width *= 2
  with pytest.raises(
    UserError, match="init_from=.*: of another network; set config.model.base_width=4 or"
  ):
    initial_params(config, Method.from_config(config))
