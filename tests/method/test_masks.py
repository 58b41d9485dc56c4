import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.method import masks
from expocm_jax.ops import color

PAPER = {"tau": 0.02, "q_lo": 2.0, "q_hi": 98.0, "gate": 0.0}
compiled = jax.jit(masks.exposure_masks, static_argnames=tuple(PAPER))


def fast_masks(ldr, **options):
  return compiled(ldr, **PAPER | options)


@jax.jit
@jax.grad
def mask_gradient(ldr):
  gated = fast_masks(ldr, gate=0.2)
  return sum((i + 1) * mask.sum() for i, mask in enumerate(fast_masks(ldr) + gated))


def masks64(ldr, tau=0.02, q_lo=2.0, q_hi=98.0, gate=0.0):
  """Eq. 5-7 as printed, for one image, and the fading between white or black and the gate."""
  y = np.float64(ldr) @ [0.2126, 0.7152, 0.0722]
  low, high = np.percentile(y, [q_lo, q_hi])
  b = max(high - low, 1e-3)
  l, h = low + tau * b, high - tau * b
  m_low = np.clip((l - y) / (tau * b), 0, 1)
  m_high = np.clip((y - h) / (tau * b), 0, 1)
  over, under = m_high * (1 - m_low), m_low * (1 - m_high)
  if gate:
    largest = np.float64(ldr).max(-1)
    over *= np.interp(largest, [1 - gate, 1], [0, 1])
    under *= np.interp(largest, [0, gate], [1, 0])
  return over, under, 1 - np.maximum(over, under)


def random_image(seed=0, shape=(16, 24, 3)):
  """Skewed like a photograph, with clipped pixels at both ends."""
  rng = np.random.default_rng(seed)
  return np.clip(
    rng.uniform(-0.3, 1.4, shape[:-1] + (1,)) + rng.normal(0, 0.05, shape), 0, 1
  ).astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"tau": 0.2, "q_lo": 10.0, "q_hi": 80.0, "gate": 0.2}])
def test_masks_match_the_equations(options):
  ldr = random_image()
  for got, expected in zip(fast_masks(ldr, **options), masks64(ldr, **options)):
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got[..., 0], expected, atol=2e-5)


def test_levels_are_the_percentiles_of_luminance():
  ldr = random_image(3, (7, 9, 3))
  y = np.float64(ldr) @ [0.2126, 0.7152, 0.0722]
  levels = jax.jit(lambda x: masks.exposure_levels(x, q_lo=5.0, q_hi=70.0))(ldr)
  np.testing.assert_allclose(np.ravel(levels), np.percentile(y, [5, 70]), rtol=1e-6)


def test_bright_pixels_are_over_and_dark_ones_under():
  ramp = np.repeat(np.linspace(0, 1, 101, dtype=np.float32)[None, :, None], 3, axis=-1)
  over, under, good = (np.ravel(mask) for mask in fast_masks(ramp))
  np.testing.assert_allclose([over[-1], under[0], good[50]], 1, atol=1e-6)
  np.testing.assert_allclose([over[0], under[-1], over[50], under[50]], 0, atol=1e-6)
  assert (np.diff(over) >= 0).all() and (np.diff(under) <= 0).all()


@pytest.mark.parametrize(
  "ldr",
  [
    random_image(),
    np.zeros((4, 4, 3)),
    np.ones((4, 4, 3)),
    random_image(1, (1, 1, 3)),
    np.full((4, 4, 3), 0.2) + 1e-7 * np.arange(16).reshape(4, 4, 1),
  ],
  ids=["random", "black", "white", "pixel", "nearly_flat"],
)
def test_weights_sum_to_one_within_their_range_and_gradients_are_finite(ldr):
  ldr = np.float32(ldr)
  for gate in (0.0, 0.2):
    weights = np.stack(fast_masks(ldr, gate=gate))
    assert (weights >= 0).all() and (weights <= 1).all()
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-6)
  gradient = mask_gradient(ldr)
  assert np.isfinite(gradient).all()


def test_with_a_gate_nothing_is_lost_in_a_photo_without_white_and_black():
  grey = 0.25 + 0.5 * random_image()
  assert np.max(fast_masks(grey).over) == np.max(fast_masks(grey).under) == 1
  over, under, good = fast_masks(grey, gate=0.2)
  assert not over.any() and not under.any() and (good == 1).all()


def test_flat_images_of_any_colour_are_well_exposed():
  colours = np.random.default_rng(0).integers(0, 256, (300, 1, 1, 3)) / 255
  flat = np.broadcast_to(colours, (300, 3, 5, 3)).astype(np.float32)
  over, under, good = fast_masks(flat)
  assert not over.any() and not under.any() and (good == 1).all()


def test_rounding_of_the_levels_does_not_decide_about_flat_images():
  flat = np.full((2, 2, 3), 0.7, np.float32)
  level = color.luminance(flat)[:1, :1]
  for direction in (0, 1):
    levels = masks.ExposureLevels(*2 * [np.nextafter(level, np.float32(direction))])
    assert np.min(masks.masks_from_levels(flat, levels, tau=0.02, gate=0.0).good) > 0.99


def test_batched_equals_unbatched_and_a_part_uses_the_levels_of_the_whole():
  images = (
    np.stack([random_image(i) for i in range(3)]) * np.float32([1, 0.5, 0.2])[:, None, None, None]
  )
  batched = fast_masks(images)
  for i, image in enumerate(images):
    for got, expected in zip(batched, fast_masks(image)):
      np.testing.assert_allclose(got[i], expected, atol=1e-6)

  @jax.jit
  def part_of(ldr):
    levels = masks.exposure_levels(ldr, q_lo=2.0, q_hi=98.0)
    return masks.masks_from_levels(ldr[:, 4:9, :7], levels, tau=0.02, gate=0.0)

  part = part_of(images)
  for got, whole in zip(part, batched):
    np.testing.assert_allclose(got, whole[:, 4:9, :7], atol=1e-5)


def test_variants_of_the_ablation():
  three = fast_masks(random_image())
  assert np.any(three.under > 0) and np.any(three.over > 0)
  two = masks.merge_pathological(three)
  np.testing.assert_array_equal(two.over, three.over + three.under)
  np.testing.assert_array_equal(two.good, three.good)
  assert not two.under.any()
  uniform = masks.ignore_exposure(three)
  assert (uniform.good == 1).all() and not uniform.over.any() and not uniform.under.any()


def test_an_image_without_three_channels_is_refused():
  with pytest.raises(AssertionError):
    masks.exposure_masks(np.zeros((4, 4, 1), np.float32), **PAPER)
