"""Readings: curves against float64 interpolation, files in and out, and the estimate."""

import numpy as np
import pytest

from configs import response as response_config
from expocm_jax.checkpoints import weights
from expocm_jax.errors import UserError
from expocm_jax.inference import photo_statistics, response
from expocm_jax.network import response_estimator
from tests.support import small_network

LDR = small_network.photo()
CURVE = response.ResponseCurve(
  np.array([0.0, 0.2, 0.7, 1.0]),
  np.array([[0.0, 0.0, 0.0], [0.01, 0.05, 0.3], [0.5, 0.4, 0.3], [1.0, 1.0, 1.0]]),
)


def srgb64(linear):
  return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def reference(photo, curve):
  planes = [np.interp(photo[..., c], curve.codes, curve.linear[:, c]) for c in range(3)]
  return srgb64(np.stack(planes, axis=-1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_a_curve_is_undone_in_each_channel(dtype, monkeypatch):
  photo = LDR.astype(dtype)
  if np.issubdtype(dtype, np.integer):
    photo = np.rint(LDR * np.iinfo(dtype).max).astype(dtype)
  wanted = reference(photo_statistics.as_float(photo).astype(np.float64), CURVE)
  got = CURVE(photo)
  assert got.dtype == np.float32 and got.min() >= 0 and got.max() <= 1
  np.testing.assert_allclose(got, wanted, atol=2e-6)


def test_gamma_is_a_power():
  got = response.parse_response("gamma:2.2")(LDR)
  np.testing.assert_allclose(got, srgb64(np.float64(LDR) ** 2.2), atol=2e-5)


def test_white_and_black_stay():
  ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
  for curve in (CURVE, response.gamma_curve(3.0)):
    np.testing.assert_array_equal(curve(ends), ends / 255)


def test_an_array_that_is_no_photo():
  with pytest.raises(ValueError, match="H, W, 3"):
    CURVE(LDR[..., 0])


def test_a_file_says_what_was_written(tmp_path):
  path = tmp_path / "c.csv"
  response.write_response_csv(path, CURVE)
  assert path.read_text().splitlines()[0] == "code,red,green,blue"
  np.testing.assert_allclose(response.parse_response(str(path))(LDR), CURVE(LDR), atol=0.01)
  codes = np.rint(LDR * 255).astype(np.uint8)  # what the file holds
  read = response.read_response_csv(path)
  np.testing.assert_allclose(read(codes), CURVE(codes), atol=1e-6)


@pytest.mark.parametrize("top", [1, 255])
def test_one_column_stands_for_three(tmp_path, top):
  path = tmp_path / "c.csv"
  path.write_text(f"Code, Linear\n0,0\n\n{top / 2},0.25\n{top},1\n")
  curve = response.read_response_csv(path)
  np.testing.assert_array_equal(curve.codes, [0, 0.5, 1])
  np.testing.assert_array_equal(curve.linear, np.repeat([[0], [0.25], [1]], 3, axis=1))


@pytest.mark.parametrize(
  "text, problem",
  [
    ("", "line 1 does not name the columns"),
    ("0,0\n255,1\n", "line 1 does not name the columns"),
    ("code,linear\n0,0\n", "1 codes"),
    ("code,linear\n0,0\n10,x\n255,1\n", "line 3 is not 2 numbers"),
    ("code,linear\n0,0\n10,nan\n255,1\n", "line 3 is not 2 numbers"),
    ("code,linear\n0,0\n10,0.1,0.1\n255,1\n", "line 3 is not 2 numbers"),
    ("code,linear\n0,0\n\n10,0.2\n20,0.1\n255,1\n", "line 5: linear does not rise"),
    ("code,linear\n0,0\n10,0.2\n10,0.2\n255,1\n", "line 4: code does not rise"),
    ("code,linear\n0,0\n254,1\n", "code goes from 0 to 254 instead of from 0 to 1 or 0 to 255"),
    ("code,linear\n0,0\n255,0.9\n", "linear goes from 0 to 0.9"),
    ("code,red,green,blue\n0,0,0,0\n1,1,2,1\n", "green goes from 0 to 2"),
  ],
)
def test_a_file_that_is_no_curve(tmp_path, text, problem):
  path = tmp_path / "c.csv"
  path.write_text(text)
  with pytest.raises(UserError) as error:
    response.parse_response(str(path))
  message = str(error.value)
  assert message.startswith(str(path)) and problem in message and "\n" not in message


@pytest.mark.parametrize(
  "text, problem",
  [
    ("gamma:", "gamma is a number"),
    ("gamma:nan", "gamma is a number"),
    ("gamma:22", "from 0.2 to 5.0"),
    ("nowhere.csv", "cannot be read (No such file"),
    (".", "cannot be read"),
  ],
)
def test_what_is_no_response(text, problem):
  with pytest.raises(UserError) as error:
    response.parse_response(text)
  assert problem in str(error.value) and f"--response={text}" in str(error.value)


@pytest.fixture(scope="module")
def estimator_file(tmp_path_factory):
  """Random parameters, the last layer included: the shipped ones might leave a photo alone."""
  config = response_config.get_config()
  rng = np.random.default_rng(0)
  params = response_estimator.init_params(config, response.jax.random.key(0))
  params["Dense_2"]["kernel"] = rng.standard_normal(params["Dense_2"]["kernel"].shape, np.float32)
  path = tmp_path_factory.mktemp("w") / "r.safetensors"
  weights.save_weights(path, params, config)
  return path


def test_the_estimate_depends_on_the_whole_photo_and_not_on_its_format(estimator_file):
  estimate = response.load_estimator(estimator_file)
  named = response.parse_response(f"estimate:{estimator_file}")
  np.testing.assert_array_equal(named(LDR), estimate(LDR)(LDR))
  codes = np.rint(LDR * 255).astype(np.uint8)
  curve = estimate(codes)
  assert curve.linear.shape == (256, 3) and (np.diff(curve.linear, axis=0) >= 0).all()
  np.testing.assert_array_equal(curve.linear[[0, -1]], [[0] * 3, [1] * 3])
  assert np.abs(curve.linear - estimate(255 - codes).linear).max() > 0.01
  for same in (codes / 255, np.float32(codes) / 255, codes.astype(np.uint16) * 257):
    np.testing.assert_allclose(estimate(same).linear, curve.linear, atol=1e-6)


def test_a_large_photo_is_seen_by_every_nth_pixel(estimator_file):
  estimate = response.load_estimator(estimator_file)
  small = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
  large = small.repeat(3, axis=0).repeat(3, axis=1)
  np.testing.assert_array_equal(estimate(large).linear, estimate(small).linear)


def test_the_shipped_estimate_is_a_reading():
  read = response.parse_response("estimate")(LDR)
  assert read.shape == LDR.shape and 0 <= read.min() and read.max() <= 1


def test_other_weights_are_no_estimator(tmp_path):
  config = small_network.config()
  weights.save_weights(tmp_path / "w.safetensors", small_network.params(config), config)
  with pytest.raises(UserError, match="its configuration cannot be used .*estimator"):
    response.load_estimator(tmp_path / "w.safetensors")
