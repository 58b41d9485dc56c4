"""The train step and one-step inference lower for hardware that this machine does not have."""

import jax
import jax.numpy as jnp
import pytest

from expocm_jax.method.expocm import Method
from expocm_jax.training.processes import make_mesh
from expocm_jax.training.state import create_state
from expocm_jax.training.step import make_train_step
from tests.support import small_run

PLATFORMS = ("cpu", "cuda", "tpu")
IMAGES = jax.ShapeDtypeStruct((8, 16, 16, 3), jnp.float32)


def lowered(dtype):
  config = small_run.config()
  config.model.dtype = dtype
  config.model.tone_cells = 8
  mesh, method = make_mesh(jax.devices()[:1]), Method.from_config(config)
  return config, mesh, method, jax.eval_shape(lambda: create_state(config, method, mesh))


@pytest.mark.parametrize("phase", [1, 2])
def test_the_train_step_lowers(phase):
  config, mesh, method, state = lowered("bfloat16")
  step = make_train_step(config, method, mesh, phase=phase)
  batch = {"ldr": IMAGES, "hdr": IMAGES}
  exported = jax.export.export(jax.jit(step), platforms=PLATFORMS)(state, batch)
  assert exported.platforms == PLATFORMS
  assert [a.shape for a in exported.out_avals[: exported.in_tree.num_leaves - 2]] == [
    leaf.shape for leaf in jax.tree.leaves(state)
  ]
  assert "bf16" in exported.mlir_module()


def test_one_step_inference_lowers():
  _, _, method, state = lowered("float32")

  def infer(params, ldr, noise):
    return method.decode(method.one_step(params, method.condition(ldr), noise, method.masks(ldr)))

  exported = jax.export.export(jax.jit(infer), platforms=PLATFORMS)(
    state.ema_params, IMAGES, IMAGES
  )
  assert exported.platforms == PLATFORMS
  assert exported.out_avals[0].shape == IMAGES.shape
  # No product of float32 is left to an accelerator's default, which would round its factors.
  products = [
    line for line in exported.mlir_module().splitlines()
    if "stablehlo.convolution" in line or "stablehlo.dot_general" in line
  ]  # fmt: skip
  assert len(products) > 20 and all("HIGHEST" in line for line in products)
