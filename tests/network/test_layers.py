"""Squares of pixels folded into channels, and norms that see one pixel alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.network import layers

IMAGES = np.random.default_rng(0).random((2, 12, 18, 5), np.float32)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_fold_reads_a_square_row_by_row(patch):
  folded = np.asarray(layers.fold(IMAGES, patch))
  assert folded.shape == (2, 12 // patch, 18 // patch, 5 * patch**2)
  for row in range(patch):
    for column in range(patch):
      first = 5 * (row * patch + column)
      part = IMAGES[:, row::patch, column::patch]
      np.testing.assert_array_equal(folded[..., first : first + 5], part)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_unfold_is_its_inverse(patch):
  np.testing.assert_array_equal(layers.unfold(layers.fold(IMAGES, patch), patch), IMAGES)
  coarse = np.random.default_rng(1).random((2, 4, 6, 3 * patch**2), np.float32)
  image = layers.unfold(coarse, patch)
  assert image.shape == (2, 4 * patch, 6 * patch, 3)
  np.testing.assert_array_equal(layers.fold(image, patch), coarse)


def test_the_norm_takes_out_each_pixels_own_scale():
  norm = layers.ChannelNorm()
  params = norm.init(jax.random.key(0), IMAGES)
  got = np.asarray(norm.apply(params, IMAGES))
  np.testing.assert_allclose(np.mean(got**2, axis=-1), 1, rtol=1e-3)
  scales = np.random.default_rng(3).uniform(1, 9, (2, 12, 18, 1)).astype(np.float32)
  np.testing.assert_allclose(norm.apply(params, scales * IMAGES), got, rtol=1e-3)


def test_upsampling_repeats_pixels():
  expected = np.kron(IMAGES, np.ones((1, 2, 2, 1), np.float32))
  np.testing.assert_array_equal(layers.upsample(jnp.asarray(IMAGES)), expected)
