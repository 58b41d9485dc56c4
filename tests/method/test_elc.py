import colour
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import default
from expocm_jax.method import elc
from expocm_jax.method.masks import ExposureMasks

BT709 = colour.models.RGB_COLOURSPACE_BT709
TO_XYZ = colour.normalised_primary_matrix(BT709.primaries, BT709.whitepoint)

SHAPE = (2, 6, 7, 3)
RNG = np.random.default_rng(0)
LDR, TARGET = (RNG.uniform(0, 1, SHAPE).astype(np.float32) for _ in range(2))
PREDICTION = (TARGET + RNG.normal(0, 0.1, SHAPE)).astype(np.float32)  # some out of gamut
WEIGHTS = RNG.dirichlet([0.5, 0.5, 0.5], SHAPE[:-1]).astype(np.float32)
MASKS = ExposureMasks(*(WEIGHTS[..., i : i + 1] for i in range(3)))
OTHER_OPTIONS = {
  "kappa_l_lo": 2.0,
  "kappa_l_hi": 0.7,
  "kappa_c_hi": 1.5,
  "kappa_c_lo": 0.9,
  "lambda_l": 1.3,
  "lambda_c": 0.4,
  "chroma_base": 0.0,
  "exponent": 2.0,
  "dark_threshold": 0.3,
  "dark_softness": 0.05,
  "bright_threshold": 0.7,
  "bright_softness": 0.2,
  "specular_chroma": 12.0,
}

DEFAULT_OPTIONS = {
  "kappa_l_lo": 3.0,
  "kappa_l_hi": 1.0,
  "kappa_c_hi": 3.0,
  "kappa_c_lo": 0.5,
  "lambda_l": 1.0,
  "lambda_c": 1.0,
  "chroma_base": 1.0,
  "exponent": 1.0,
  "dark_threshold": 0.2,
  "dark_softness": 0.1,
  "bright_threshold": 0.8,
  "bright_softness": 0.1,
  "specular_chroma": 5.0,
}

# Compiled once a shape, which is faster than one operation after the other.
elc_loss = jax.jit(elc.elc_loss)
elc_weights = jax.jit(elc.elc_weights)
elc_gradient = jax.jit(
  jax.grad(lambda *args: elc.elc_loss(*args, **DEFAULT_OPTIONS, epsilon=1e-3).sum())
)


def lab64(x):
  linear = np.sign(x) * colour.models.eotf_sRGB(np.abs(np.float64(x)))
  return colour.XYZ_to_Lab(linear @ TO_XYZ.T, BT709.whitepoint)


def weights64(
  ldr,
  masks,
  lab,
  *,
  kappa_l_lo,
  kappa_l_hi,
  kappa_c_hi,
  kappa_c_lo,
  lambda_l,
  lambda_c,
  chroma_base,
  exponent,
  dark_threshold,
  dark_softness,
  bright_threshold,
  bright_softness,
  specular_chroma,
):
  """Eq. 13-15, with the chroma base of well-exposed pixels."""
  y = np.float64(ldr) @ [0.2126, 0.7152, 0.0722]
  s_y = 1 / (1 + np.exp(-(dark_threshold - y) / dark_softness))
  h_y = 1 / (1 + np.exp(-(y - bright_threshold) / bright_softness))
  a_spec = 1 / (1 + np.hypot(lab[..., 1], lab[..., 2]) / specular_chroma)
  over, under, good = (np.float64(mask[..., 0]) for mask in masks)
  w_l = lambda_l * (1 + kappa_l_lo * s_y * under**exponent + kappa_l_hi * a_spec * over**exponent)
  w_c = lambda_c * (
    kappa_c_hi * over**exponent * (1 - a_spec) * h_y + kappa_c_lo * under**exponent * (1 - s_y)
  )
  return w_l, w_c + lambda_c * chroma_base * good


def pixel(ldr, region, lab):
  """(w_L, w_C) of one pixel that lies wholly in a region, by default options."""
  masks = ExposureMasks(
    *(np.full((1, 1, 1), region == name, np.float32) for name in ("over", "under", "good"))
  )
  weights = elc_weights(
    np.full((1, 1, 3), ldr, np.float32),
    masks,
    np.float32(lab).reshape(1, 1, 3),
    **DEFAULT_OPTIONS,
  )
  return weights.luminance.item(), weights.chroma.item()


@pytest.mark.parametrize("options", [DEFAULT_OPTIONS, OTHER_OPTIONS], ids=["default", "other"])
def test_weights_and_loss_match_the_equations(options):
  lab, lab_hat = lab64(TARGET), lab64(PREDICTION)
  w_l, w_c = weights64(LDR, MASKS, lab, **options)
  got = elc_weights(LDR, MASKS, lab.astype(np.float32), **options)
  np.testing.assert_allclose(got.luminance[..., 0], w_l, rtol=1e-5)
  np.testing.assert_allclose(got.chroma[..., 0], w_c, rtol=1e-5, atol=1e-6)
  d = lab_hat - lab
  for epsilon in (1e-3, 5.0):
    expected = (
      w_l * np.sqrt(d[..., 0] ** 2 + epsilon**2)
      + w_c * np.sqrt(d[..., 1] ** 2 + d[..., 2] ** 2 + epsilon**2)
    ).mean((1, 2))
    loss = elc_loss(PREDICTION, TARGET, LDR, MASKS, epsilon=epsilon, **options)
    np.testing.assert_allclose(loss, expected, rtol=2e-5)


def test_in_the_dark_luminance_leads():
  good = pixel(0.5, "good", [50, 20, 20])
  shallow, deep = pixel(0.3, "under", [30, 5, 5]), pixel(0.02, "under", [10, 5, 5])
  assert deep[0] > shallow[0] > good[0] == 1
  assert deep[1] < shallow[1] < good[1] == 1


def test_in_coloured_highlights_chroma_leads_and_in_white_ones_luminance():
  good = pixel(0.5, "good", [50, 20, 20])
  coloured, white = pixel(0.97, "over", [90, 60, 40]), pixel(0.97, "over", [97, 0, 0])
  assert coloured[1] > 2 > good[1] > white[1]
  assert white[0] > 1.5 > coloured[0] > good[0]
  hidden = pixel(0.5, "over", [90, 60, 40])  # h_Y: a highlight that is not bright in the LDR
  assert hidden[1] < coloured[1]


def test_without_a_chroma_base_the_weights_are_as_printed():
  lab = lab64(TARGET).astype(np.float32)
  printed = elc_weights(LDR, MASKS, lab, **DEFAULT_OPTIONS | {"chroma_base": 0.0})
  ours = elc_weights(LDR, MASKS, lab, **DEFAULT_OPTIONS)
  np.testing.assert_allclose(ours.chroma - printed.chroma, MASKS.good, atol=1e-6)
  np.testing.assert_array_equal(ours.luminance, printed.luminance)


def test_without_exposure_weights_it_is_the_plain_lab_loss():
  d = lab64(PREDICTION) - lab64(TARGET)
  expected = (2.0 * np.abs(d[..., 0]) + 0.5 * np.hypot(d[..., 1], d[..., 2])).mean((1, 2))
  loss = jax.jit(elc.lab_loss)
  got = loss(PREDICTION, TARGET, lambda_l=2.0, lambda_c=0.5, epsilon=1e-6)
  np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_the_defaults_here_are_those_of_the_config_but_for_the_common_scale():
  config = dict(default.get_config().elc)
  scale = {"lambda_l": 100 * config["lambda_l"], "lambda_c": 100 * config["lambda_c"]}
  assert (config | scale).items() >= DEFAULT_OPTIONS.items()


@pytest.mark.parametrize(
  "prediction, target",
  [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0), (1.5, -0.5), (TARGET, TARGET)],
  ids=["black", "white", "grey", "black_white", "out_of_gamut", "identical"],
)
def test_elc_gradients_are_finite(prediction, target):
  prediction, target = (np.broadcast_to(np.float32(x), SHAPE) for x in (prediction, target))
  assert np.isfinite(elc_gradient(prediction, target, LDR, MASKS)).all()


def test_weights_are_constants_for_the_gradient():
  def total(ldr, masks, lab):
    return sum(jnp.sum(w) for w in elc.elc_weights(ldr, masks, lab, **DEFAULT_OPTIONS))

  gradients = jax.jit(jax.grad(total, argnums=(0, 1, 2)))(
    LDR, MASKS, lab64(TARGET).astype(np.float32)
  )
  for gradient in jax.tree.leaves(gradients):
    np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_batched_equals_unbatched():
  options = DEFAULT_OPTIONS | {"epsilon": 1e-3}
  batched = elc_loss(PREDICTION, TARGET, LDR, MASKS, **options)
  single = ExposureMasks(*(mask[1] for mask in MASKS))
  got = elc_loss(PREDICTION[1], TARGET[1], LDR[1], single, **options)
  np.testing.assert_allclose(got, batched[1], rtol=1e-5)
