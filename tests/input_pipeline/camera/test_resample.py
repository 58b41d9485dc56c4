"""Area averages keep the mean radiance; a pyramid offers the right level."""

import numpy as np
import pytest

from input_pipeline.camera import resample


@pytest.fixture(scope="module")
def image():
  rng = np.random.default_rng(0)
  return np.exp(2 * rng.standard_normal((64, 128, 3))).astype(np.float32)


def test_average_over_areas(image):
  blocks = image.astype(np.float64).reshape(16, 4, 32, 4, 3).mean(axis=(1, 3))
  np.testing.assert_allclose(resample.average(image, (16, 32)), blocks, rtol=1e-5)
  odd = resample.average(image, (45, 91))
  np.testing.assert_allclose(odd.mean(axis=(0, 1)), image.mean(axis=(0, 1)), rtol=1e-5)
  line = np.array([[[3.0], [6.0], [0.0]]]) * np.ones(3)
  np.testing.assert_allclose(resample.average(line, (1, 2))[0, :, 0], [4.0, 2.0])


def test_crop_resize(image):
  same = resample.crop_resize(image, (16, 24), box=(32, 8, 56, 24))
  np.testing.assert_allclose(same, image[8:24, 32:56], rtol=1e-6)
  ramp = np.arange(40, dtype=np.float32)[None, :, None] * np.ones((40, 1, 3), np.float32)
  for width in (10, 40):  # smaller and larger than the part; its edges are at columns 10 and 30
    part = resample.crop_resize(ramp, (8, width), box=(10, 4, 30, 24))
    centres = 10 + (np.arange(width) + 0.5) * 20 / width - 0.5
    np.testing.assert_allclose(part[4, 2:-2, 1], centres[2:-2], rtol=1e-5)


def test_pyramid_levels(image):
  levels = resample.pyramid(image.astype(np.float16))
  assert [level.shape[0] for level in levels] == [64, 45, 32, 23, 16]
  assert levels[0].shape == image.shape
  assert all(level.dtype == np.float16 and level.flags.c_contiguous for level in levels)
  for level in levels:
    np.testing.assert_allclose(
      level.mean(axis=(0, 1), dtype=np.float64), image.mean(axis=(0, 1)), rtol=2e-3
    )
  assert sum(level.nbytes for level in levels) < 2 * levels[0].nbytes


@pytest.mark.parametrize("minification", [0.1, 1.0, 1.3, 1.5, 2.2, 3.9])
def test_level_for_leaves_little_minification(image, minification):
  for source in (image, resample.pyramid(image)):
    rest = minification * resample.level_for(source, minification).shape[0] / 64
    assert rest <= 1.21
    assert rest >= 0.82 or minification < 1


def test_a_minification_beyond_the_pyramid_takes_its_last_level(image):
  levels = resample.pyramid(image)
  assert resample.level_for(levels, 1e3) is levels[-1]
