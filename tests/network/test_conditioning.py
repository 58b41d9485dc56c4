"""One photo's statistics in both namespaces, in one band or many, and where pixels lie."""

import jax
import numpy as np
import pytest

from expocm_jax.network import conditioning
from expocm_jax.network.tone_grid import KNOTS

RNG = np.random.default_rng(0)
CODES = np.clip(RNG.normal(150, 110, (2, 53, 71, 3)), 0, 255).astype(np.uint8)


def encode(ldr):
  return 0.8 * ldr**2


def on_the_host(codes, rows, **options):
  bands = (codes[first : first + rows] for first in range(0, len(codes), rows))
  y = np.asarray(conditioning.values_of_codes(encode, 256))
  return conditioning.photo_statistics(bands, codes.shape[:2], y, **options)


@pytest.mark.parametrize("options", [{"bins": 48, "cells": 32}, {"bins": 5, "cells": 4}])
def test_host_and_device_agree(options):
  ldr = CODES.astype(np.float32) / np.float32(255)
  got = jax.jit(lambda ldr: conditioning.from_photos(ldr, encode, **options))(ldr)
  for photo in range(2):
    for rows in (7, 53):  # the last band being shorter, and all at once
      tone, cells = on_the_host(CODES[photo], rows, **options)
      assert tone.dtype == cells.dtype == np.float32
      np.testing.assert_allclose(got.tone[photo], tone, rtol=2e-5, atol=1e-7)
      np.testing.assert_allclose(got.cells[photo], cells, rtol=2e-5, atol=1e-6)
      np.testing.assert_allclose(tone[:3].sum(-1), 1, rtol=1e-6)
      shares = cells.reshape(-1, len(KNOTS), 3)
      np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
  np.testing.assert_allclose(got.white, 0.8, rtol=1e-6)


def test_photos_are_rounded_to_codes():
  ldr = CODES.astype(np.float32) / np.float32(255)
  near = np.clip(ldr + RNG.uniform(-0.001, 0.001, ldr.shape).astype(np.float32), 0, 1)
  got, expected = (conditioning.from_photos(x, encode, bins=8, cells=4) for x in (near, ldr))
  np.testing.assert_array_equal(got.tone, expected.tone)
  np.testing.assert_array_equal(got.cells, expected.cells)


def test_a_network_without_extras_needs_no_statistics():
  tone, cells = on_the_host(CODES[0], 20, bins=0, cells=0)
  assert tone.shape == (6, 0) and cells.shape == (0, 0, 3 * len(KNOTS))


@pytest.mark.parametrize("size", [1, 4, 77])
def test_centres_of_pixels(size):
  centres = conditioning.pixel_centres(size)
  np.testing.assert_allclose(centres, (np.arange(size) + 0.5) / size, rtol=1e-6)
  np.testing.assert_allclose(centres + centres[::-1], 1, rtol=1e-6)
