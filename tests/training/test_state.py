"""A fresh state: three equal sets of parameters that share no memory, on every device."""

import jax
import numpy as np
import pytest

from expocm_jax.method.expocm import Method
from expocm_jax.training.processes import make_mesh
from expocm_jax.training.state import create_state
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")


def create(target):
  config = small_run.config()
  config.consistency.target = target
  return create_state(config, Method.from_config(config), make_mesh(jax.devices()[:2]))


def test_all_sets_of_parameters_start_equal_and_replicated():
  state = create("ema")
  assert state.step == 0
  for leaf, target, average in zip(
    *(jax.tree.leaves(tree) for tree in (state.params, state.target_params, state.ema_params)),
    strict=True,
  ):
    np.testing.assert_array_equal(leaf, target)
    np.testing.assert_array_equal(leaf, average)
    assert leaf.dtype == np.float32 and leaf.is_fully_replicated and len(leaf.devices()) == 2
    # The train step donates them: none may be another's buffer.
    pointers = {
      x.addressable_shards[0].data.unsafe_buffer_pointer() for x in (leaf, target, average)
    }
    assert len(pointers) == 3


def test_without_a_target_network_there_are_no_parameters_of_one():
  assert create("stop_gradient").target_params == {}
