"""What the losses of both phases are made of, and the curriculum's mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.method import eact, elc
from expocm_jax.method.expocm import Method
from expocm_jax.training.objective import load_perceptual, make_curriculum, make_loss
from expocm_jax.training.processes import make_mesh, replicated
from tests.support import small_run

pytestmark = pytest.mark.usefixtures("quick_compiles")
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(8, 16, 16, 3)).astype(np.float32)
BATCH = small_run.batch()
T = np.float32([1, 2 / 3, 1 / 3, 1, 0.5, 0.9, 0.2, 0.7])
T_PREV = np.float32([2 / 3, 1 / 3, 0, 0, 0.4, 0.1, 0.1, 0.6])


def changed(**fields):
  config = small_run.config()
  config.update_from_flattened_dict({"consistency.distance": "l2"} | fields)
  return config


class Affine(Method):
  """Instead of a network: x_t and t, so that both points of a pair can be told from the loss."""

  def denoise(self, params, x_t, t, condition):
    return params["a"] * x_t + params["b"] * t[:, None, None, None] + 0.0 * condition.y


PARAMS = {"a": jnp.float32(0.7), "b": jnp.float32(0.2)}
TARGET_PARAMS = {"a": jnp.float32(1.1), "b": jnp.float32(-0.3)}


def states(method, t):
  """x_t as printed, from the method's own domain and masks, in float64."""
  x0, y = (np.float64(a) for a in (method.encode_hdr(BATCH["hdr"]),
                                   method.encode_ldr(BATCH["ldr"])))  # fmt: skip
  masks = method.masks(BATCH["ldr"])
  anchor = masks.under * eact.low_pass(y.astype(np.float32), sigma=2.0) + masks.good * y
  sigma = 0.15 * np.float64(masks.over) + 0.12 * masks.under + 0.06 * masks.good
  t = np.float64(t)[:, None, None, None]
  return (1 - t) * x0 + t * np.float64(anchor) + t * sigma * np.float64(NOISE)


def value(config, *, phase):
  loss = make_loss(config, Affine.from_config(config), phase=phase)
  return jax.jit(loss)(PARAMS, TARGET_PARAMS, BATCH, NOISE, T, T_PREV)


def ct64(method):
  """Eq. 4: both points with the same x0, y and noise; theta at t, theta minus at t'."""
  at_t = 0.7 * states(method, T) + 0.2 * T[:, None, None, None]
  at_t_prev = 1.1 * states(method, T_PREV) - 0.3 * T_PREV[:, None, None, None]
  return np.mean((at_t - at_t_prev) ** 2)


def test_the_ct_loss_compares_two_points_of_one_trajectory():
  config = changed()
  loss, metrics = value(config, phase=1)
  np.testing.assert_allclose(loss, ct64(Affine.from_config(config)), rtol=1e-4)
  assert set(metrics) == {"loss", "ct"}


def test_where_all_pairs_are_supervised_the_target_needs_no_network():
  """The same as what the network's boundary condition gives."""
  values = []
  for fraction in (1.0, 0.5):
    config = changed(**{"consistency.anchor_fraction": fraction, "model.multipliers": (1,)})
    method = Method.from_config(config)
    params = jax.tree.map(lambda p: p + 0.05, method.init_params(jax.random.key(0)))
    loss = jax.jit(make_loss(config, method, phase=1))
    values.append(
      loss(params, params, BATCH, NOISE, np.ones(8, np.float32), np.zeros(8, np.float32))
    )
  assert values[0][0] > 1e-4
  np.testing.assert_allclose(values[0][0], values[1][0], rtol=1e-6)


def test_the_target_is_a_constant_for_the_gradient():
  config = changed()
  loss = make_loss(config, Affine.from_config(config), phase=1)
  gradient = jax.jit(jax.grad(lambda *p: loss(*p, BATCH, NOISE, T, T_PREV)[0], argnums=(0, 1)))
  own, target = gradient(PARAMS, TARGET_PARAMS)
  assert own["a"] != 0 and own["b"] != 0
  assert target["a"] == 0 and target["b"] == 0


@pytest.mark.parametrize(
  "fields",
  [
    {}, {"elc.lambda_l": 0.3, "elc.ct_weight": 0.5}, {"elc.lambda_l": 0.0, "elc.lambda_c": 0.0},
    {"elc.weighting": "uniform", "elc.lambda_c": 1.0},
  ],
)  # fmt: skip
def test_phase_two_adds_elc_of_the_one_step_output(fields):
  config = changed(**fields)
  method = Affine.from_config(config)
  loss, metrics = value(config, phase=2)
  one_step = (0.7 * states(method, np.ones(8)) + 0.2).astype(np.float32)
  x0, masks = method.encode_hdr(BATCH["hdr"]), method.masks(BATCH["ldr"])
  options = {name: x for name, x in config.elc.items() if name not in ("ct_weight", "weighting")}
  if "elc.weighting" in fields:
    scales = {name: options[name] for name in ("lambda_l", "lambda_c", "epsilon")}
    chromatic = np.mean(elc.lab_loss(one_step, x0, **scales))
  else:
    chromatic = np.mean(elc.elc_loss(one_step, x0, BATCH["ldr"], masks, **options))
  np.testing.assert_allclose(metrics["elc"], chromatic, rtol=1e-4)
  np.testing.assert_allclose(metrics["ct"], ct64(method), rtol=1e-4)
  expected = chromatic + config.elc.ct_weight * ct64(method)
  np.testing.assert_allclose(loss, expected, rtol=1e-4)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"curriculum": "odd"}, "consistency.curriculum: unknown value 'odd'; use one of fixed"),
    ({"target": "odd"}, "consistency.target: unknown value 'odd'; use one of ema, stop_gradient"),
  ],
)
def test_mistakes_of_the_curriculum(fields, message):
  config = changed(**{f"consistency.{name}": value for name, value in fields.items()})
  with pytest.raises(UserError, match=message):
    make_curriculum(config)


@pytest.mark.parametrize("curriculum", ["fixed", "original", "improved", "continuous"])
def test_every_curriculum_gives_pairs_and_a_rate_from_the_first_step_to_the_last(curriculum):
  config = changed(**{"consistency.curriculum": curriculum, "consistency.n_end": 9,
                      "consistency.anchor_fraction": 0.25})  # fmt: skip
  sample_times, target_decay = make_curriculum(config)
  for step in (0, 17):
    t, t_prev = sample_times(jax.random.key(step), jnp.int32(step), 8)
    assert (0 <= t_prev).all() and (t_prev < t).all() and (t <= 1).all()
    assert np.sum((t == 1) & (t_prev == 0)) >= 2
    assert 0 < target_decay(jnp.int32(step)) <= 1


class Stub:
  """A stand-in for LPIPS: the mean absolute difference."""

  def __call__(self, a, b):
    return jnp.mean(jnp.abs(a - b), axis=(1, 2, 3))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_lpips_takes_its_share_of_the_distance(share):
  config = changed(**{"consistency.lpips_share": share})
  method = Affine.from_config(config)
  loss = make_loss(config, method, phase=1, perceptual=Stub())
  got, _ = jax.jit(loss)(PARAMS, TARGET_PARAMS, BATCH, NOISE, T, T_PREV)
  estimate = 0.7 * states(method, T) + 0.2 * T[:, None, None, None]
  target = 1.1 * states(method, T_PREV) - 0.3 * T_PREV[:, None, None, None]
  plain = np.mean((estimate - target) ** 2)
  perceptual = np.mean(np.abs(estimate - np.clip(target, 0, 1)))
  np.testing.assert_allclose(got, (1 - share) * plain + share * perceptual, rtol=1e-4)


def test_the_network_of_lpips_is_loaded_where_it_has_a_share():
  mesh = make_mesh(jax.devices()[:1])
  assert load_perceptual(changed(), replicated(mesh)) is None
  config = changed(**{"consistency.lpips_share": 0.5, "consistency.lpips": "alex"})
  with pytest.raises(UserError, match="data.crop=16.*at least 31"):
    load_perceptual(config, replicated(mesh))
  config.data.crop = 32
  assert load_perceptual(config, replicated(mesh)).name == "alex"
  config.consistency.lpips = "squeeze"
  with pytest.raises(UserError, match="consistency.lpips"):
    load_perceptual(config, replicated(mesh))
  config.objective = "diffusion"
  assert load_perceptual(config, replicated(mesh)) is None
