"""Perspective views of panoramas, against a slow float64 reference and by their properties."""

import math

import numpy as np
import pytest

from input_pipeline.camera import panorama, resample

SIZE = (12, 20)


@pytest.fixture(scope="module")
def scene():
  return np.random.default_rng(0).uniform(0, 4, (16, 32, 3)).astype(np.float32)


def reference_view(image, *, size, fov, yaw, pitch, roll):
  """One pixel at a time: turns each ray about z, x, y in turn, and weighs four pixels."""
  image = image.astype(np.float64)
  height, width = image.shape[:2]
  yaw, pitch, roll = map(math.radians, (yaw, pitch, roll))

  def pixel(row, column):
    if row < 0:
      row, column = -1 - row, column + width // 2
    elif row >= height:
      row, column = 2 * height - 1 - row, column + width // 2
    return image[row, column % width]

  out = np.zeros((*size, 3))
  for i in range(size[0]):
    for j in range(size[1]):
      reach = math.tan(math.radians(fov) / 2) / (size[1] / 2)
      x, y, z = (j + 0.5 - size[1] / 2) * reach, -(i + 0.5 - size[0] / 2) * reach, 1.0
      x, y = (x * math.cos(roll) + y * math.sin(roll), y * math.cos(roll) - x * math.sin(roll))
      y, z = (y * math.cos(pitch) + z * math.sin(pitch), z * math.cos(pitch) - y * math.sin(pitch))
      x, z = (x * math.cos(yaw) + z * math.sin(yaw), z * math.cos(yaw) - x * math.sin(yaw))
      column = (math.atan2(x, z) / (2 * math.pi) + 0.5) * width - 0.5
      row = (0.5 - math.asin(y / math.sqrt(x * x + y * y + z * z)) / math.pi) * height - 0.5
      r, c = math.floor(row), math.floor(column)
      a, b = row - r, column - c
      out[i, j] = (1 - a) * ((1 - b) * pixel(r, c) + b * pixel(r, c + 1)) + a * (
        (1 - b) * pixel(r + 1, c) + b * pixel(r + 1, c + 1)
      )
  return out


@pytest.mark.parametrize(
  "yaw, pitch, roll, fov",
  [(0, 0, 0, 60), (177, -30, 5, 60), (-120, 80, -20, 90), (45, -88, 0, 100), (0, 90, 0, 50)],
)
def test_agrees_with_the_reference(scene, yaw, pitch, roll, fov):
  view = panorama.perspective_view(scene, size=SIZE, fov=fov, yaw=yaw, pitch=pitch, roll=roll)
  expected = reference_view(scene, size=SIZE, fov=fov, yaw=yaw, pitch=pitch, roll=roll)
  assert view.dtype == np.float32
  np.testing.assert_allclose(view, expected, atol=2e-4)


def test_a_full_turn_changes_nothing(scene):
  views = [
    panorama.perspective_view(scene, size=SIZE, fov=70, yaw=yaw, pitch=20, roll=3)
    for yaw in (100, 460, -260)
  ]
  np.testing.assert_allclose(views[1], views[0], atol=1e-5)
  np.testing.assert_allclose(views[2], views[0], atol=1e-5)


@pytest.mark.parametrize("pitch", [-90, -40, 0, 90])
@pytest.mark.parametrize("height", [16, 512])
def test_a_constant_stays_constant(height, pitch):
  image = np.full((height, 2 * height, 3), 2.5, np.float16)
  for source in (image, resample.pyramid(image)):
    view = panorama.perspective_view(source, size=(8, 8), fov=120, yaw=33, pitch=pitch, roll=9)
    np.testing.assert_allclose(view, 2.5, rtol=1e-6)


@pytest.mark.parametrize("row, column", [(64, 128), (20, 250), (100, 3), (2, 60)])
def test_a_direction_looked_at_is_at_the_centre(row, column):
  image = np.zeros((128, 256, 3), np.float32)
  image[row, column] = 1.0
  yaw = ((column + 0.5) / 256 - 0.5) * 360
  pitch = (0.5 - (row + 0.5) / 128) * 180
  view = panorama.perspective_view(image, size=(31, 31), fov=20, yaw=yaw, pitch=pitch, roll=50)
  assert view[15, 15, 0] == pytest.approx(1.0, abs=1e-3)


def test_the_senses_of_the_angles():
  longitude, latitude = np.meshgrid(np.linspace(-1, 1, 256), np.linspace(1, -1, 128))
  image = np.stack([longitude, latitude, 0 * latitude], axis=-1).astype(np.float32)

  def centre(**angles):
    angles = {"yaw": 0, "pitch": 0, "roll": 0, **angles}
    return panorama.perspective_view(image, size=(5, 5), fov=30, **angles)

  assert centre(yaw=20)[2, 2, 0] > 0.05  # to the right
  assert centre(pitch=20)[2, 2, 1] > 0.05  # up
  assert centre()[2, 4, 0] > centre()[2, 0, 0] and centre()[0, 2, 1] > centre()[4, 2, 1]
  rolled = centre(roll=20)[2, :, 1]  # clockwise: the right side looks further down
  assert rolled[4] < rolled[0]


def test_half_precision_is_read_as_it_is(scene):
  half = scene.astype(np.float16)
  options = {"size": SIZE, "fov": 80, "yaw": 10, "pitch": 10, "roll": 0}
  np.testing.assert_array_equal(
    panorama.perspective_view(half, **options),
    panorama.perspective_view(half.astype(np.float32), **options),
  )


def test_a_sun_keeps_its_energy_when_minified():
  image = np.zeros((256, 512, 3), np.float16)
  image[100, 200] = 1e4
  for source in (image, resample.pyramid(image)):
    sums = [
      panorama.perspective_view(source, size=(24, 24), fov=90, yaw=yaw, pitch=19, roll=0)[
        ..., 0
      ].sum()
      for yaw in np.linspace(-46, -34, 25)
    ]
    assert np.std(sums) < 0.12 * np.mean(sums)  # one tap per pixel: 2.5 times the mean


def test_a_sample_mixes_four_pixels():
  image = np.arange(24, dtype=np.float16).reshape(2, 4, 3)
  row, column = 0.25, 1.5
  longitude = np.full((1, 1), ((column + 0.5) / 4 - 0.5) * 2 * math.pi, np.float32)
  latitude = np.full((1, 1), (0.5 - (row + 0.5) / 2) * math.pi, np.float32)
  corners = image[[0, 0, 1, 1], [1, 2, 1, 2]].astype(np.float64)
  weights = [0.75 * 0.5, 0.75 * 0.5, 0.25 * 0.5, 0.25 * 0.5]
  out = panorama.sample(image, longitude, latitude)
  assert out.dtype == np.float32
  np.testing.assert_allclose(out[0, 0], weights @ corners, rtol=1e-6)
