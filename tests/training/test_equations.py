"""The functions that README's table names are those that run: without one, everything stops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.inference import noise
from expocm_jax.inference.reconstructor import Reconstructor
from expocm_jax.method import consistency, distances, eact, elc, masks, schedules
from expocm_jax.method.expocm import Method
from expocm_jax.training.processes import make_mesh
from expocm_jax.training.state import create_state
from expocm_jax.training.step import make_train_step
from expocm_jax.training.validation import make_compare
from tests.support import small_run

IMAGES = jax.ShapeDtypeStruct((8, 16, 16, 3), jnp.float32)
BATCH = {"ldr": IMAGES, "hdr": IMAGES}
EQUATIONS = [
  (masks, "exposure_masks"),  # eq. 5-7
  (eact, "eact_state"),  # eq. 8-11
  (consistency, "consistency_function"),
  (distances, "regional_huber"),  # eq. 4
  (schedules, "discrete_pairs"),
  (elc, "elc_loss"),  # eq. 12
  (elc, "elc_weights"),  # eq. 13-15
]
IN_VALIDATION = [masks.exposure_masks, eact.eact_state, consistency.consistency_function]
OF_INFERENCE = [
  (masks, "masks_from_levels"),  # eq. 5-7, of a tile
  (eact, "eact_state"),
  (consistency, "consistency_function"),
  (noise, "noise_window"),
  (Method, "sampling_step"),
]


def trace_train_step():
  config, mesh = small_run.config(), make_mesh(jax.devices()[:1])
  method = Method.from_config(config)
  state = jax.eval_shape(lambda: create_state(config, method, mesh))
  jax.eval_shape(make_train_step(config, method, mesh, phase=2), state, BATCH)


def trace_validation():
  method = Method.from_config(small_run.config())
  params = jax.eval_shape(method.init_params, jax.random.key(0))
  jax.eval_shape(make_compare(method), params, BATCH, jax.random.key(0))


def test_the_step_and_the_validation_run():
  trace_train_step()
  trace_validation()


def reconstruct():
  config = small_run.config()
  params = Method.from_config(config).init_params(jax.random.key(0))
  Reconstructor(config, params)(np.full((20, 20, 3), 0.5, np.float32))


def replace(monkeypatch, module, name):
  """Puts a function there that says its name."""

  def stop(*args, **options):
    raise RuntimeError(f"{name} was called")

  monkeypatch.setattr(module, name, stop)
  return pytest.raises(RuntimeError, match=f"{name} was called")


@pytest.mark.parametrize(
  ("module", "name"), EQUATIONS, ids=lambda value: getattr(value, "__name__", value)
)
def test_the_train_step_calls_it(module, name, monkeypatch):
  function = getattr(module, name)
  with replace(monkeypatch, module, name):
    trace_train_step()
  if function in IN_VALIDATION:
    with replace(monkeypatch, module, name):
      trace_validation()


@pytest.mark.parametrize(
  ("module", "name"), OF_INFERENCE, ids=lambda value: getattr(value, "__name__", value)
)
def test_inference_calls_it(module, name, monkeypatch):
  with replace(monkeypatch, module, name):
    reconstruct()
