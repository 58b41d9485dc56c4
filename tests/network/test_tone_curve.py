"""Tone statistics and the curve, against float64 loops and by their properties."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.network import conditioning
from expocm_jax.network.tone_curve import ToneCurve, hat_weights, tone_curve

RNG = np.random.default_rng(2)
PHOTOS = np.float32(np.random.default_rng(0).integers(0, 256, (2, 11, 7, 3))) / np.float32(255)


@functools.partial(jax.jit, static_argnums=1)
def statistics(photos, bins):
  return conditioning.from_photos(photos, lambda ldr: ldr, bins=bins, cells=0).tone


def statistics64(photo, bins):
  """Pixel by pixel: what a level has is shared between its two neighbours."""

  def spread(level):
    place = np.float64(level) * (bins - 1)
    below = min(int(place), bins - 2)
    shares = np.zeros(bins)
    shares[below], shares[below + 1] = below + 1 - place, place - below
    return shares

  pixels = np.float64(photo).reshape(-1, 3)
  shares = [sum(spread(p[c]) for p in pixels) / len(pixels) for c in range(3)]
  largest = sum(spread(p.max()) for p in pixels) / len(pixels)
  below = [sum(spread(p.max()) * (p.max() - p[c]) for p in pixels) / len(pixels) for c in range(3)]
  return np.stack(shares + [b / (largest + 1e-3) for b in below])


@pytest.mark.parametrize("bins", [2, 5, 48])
def test_agrees_with_the_reference(bins):
  got = statistics(PHOTOS, bins)
  assert got.shape == (2, 6, bins) and got.dtype == np.float32
  np.testing.assert_allclose(got, [statistics64(p, bins) for p in PHOTOS], atol=1e-5)


def test_the_weights_interpolate():
  x = np.linspace(0, 1, 77, dtype=np.float32)
  weights = np.asarray(hat_weights(x, 9))
  np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
  np.testing.assert_allclose(weights @ np.linspace(0, 1, 9), x, atol=1e-6)
  assert (weights > 0).sum(-1).max() == 2 and weights.min() == 0


def test_shares_sum_to_one_and_grey_has_no_colour():
  grey = np.repeat(PHOTOS[..., :1], 3, axis=-1)
  for photos in (PHOTOS, grey, np.zeros_like(PHOTOS), np.ones_like(PHOTOS)):
    got = np.asarray(statistics(photos, 16))
    np.testing.assert_allclose(got[:, :3].sum(-1), 1, atol=1e-5)
    assert np.isfinite(got).all() and got.min() >= 0
  np.testing.assert_array_equal(np.asarray(statistics(grey, 16))[:, 3:], 0)


def test_neither_size_nor_order_matters():
  """What holds for a photo holds for one with each pixel four times, and for its mirror image."""
  larger = PHOTOS.repeat(2, axis=1).repeat(2, axis=2)
  for same in (larger, PHOTOS[:, ::-1, ::-1]):
    np.testing.assert_allclose(statistics(same, 16), statistics(PHOTOS, 16), atol=1e-6)


def test_no_bins_give_no_statistics():
  assert jnp.shape(statistics(PHOTOS, 0)) == (2, 6, 0)


def test_the_curve_and_its_gradient_are_those_of_its_definition():
  heights = np.random.default_rng(1).normal(size=(2, 3, 9)).astype(np.float32)
  definition = lambda h: jnp.sum(h[:, None, None] * hat_weights(PHOTOS, 9), axis=-1)
  np.testing.assert_allclose(tone_curve(PHOTOS, heights), definition(heights), atol=1e-5)
  squares = [
    lambda h, f=f: jnp.sum(f(h) ** 2) for f in (lambda h: tone_curve(PHOTOS, h), definition)
  ]
  got, expected = (jax.jit(jax.grad(f))(heights) for f in squares)
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_memory_is_a_few_times_that_of_the_photos():
  """The weights of all pixels and levels at once would take 48 times the photos."""
  photos = jax.ShapeDtypeStruct((4, 128, 128, 3), np.float32)
  heights = jax.ShapeDtypeStruct((4, 3, 17), np.float32)
  gradient = jax.grad(lambda h, y: jnp.sum(tone_curve(y, h) ** 2))
  compiled = [
    statistics.lower(photos, 48).compile(),
    jax.jit(gradient).lower(heights, photos).compile(),
  ]
  for program in compiled:
    assert program.memory_analysis().temp_size_in_bytes < 4 * 4 * np.prod(photos.shape)


def test_a_tone_curve_joins_its_knots_and_depends_on_the_statistics_alone():
  statistics = RNG.dirichlet(np.ones(8), (2, 6)).astype(np.float32)
  curve = ToneCurve(features=6, knots=5)
  start = curve.init(jax.random.key(0), PHOTOS, statistics)
  draw = lambda p: np.asarray(RNG.standard_normal(p.shape), np.float32)
  params = jax.tree.map(draw, start)
  got = np.asarray(curve.apply(params, PHOTOS, statistics))
  knots = np.broadcast_to(np.linspace(0, 1, 5, dtype=np.float32)[None, :, None, None], (2, 5, 1, 3))
  heights = np.asarray(curve.apply(params, knots, statistics))[:, :, 0]
  assert np.abs(heights[0] - heights[1]).min() > 1e-4  # two photos, two curves
  for photo in range(2):
    for channel in range(3):
      expected = np.interp(
        PHOTOS[photo, ..., channel], np.linspace(0, 1, 5), heights[photo, :, channel]
      )
      np.testing.assert_allclose(got[photo, ..., channel], expected, atol=1e-5)
  at_first = curve.apply(start, PHOTOS, statistics)
  np.testing.assert_array_equal(at_first, 0)
