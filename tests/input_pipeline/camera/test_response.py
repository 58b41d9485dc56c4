"""The camera's response: its two families against the printed formulas, and its 8-bit table."""

import dataclasses

import colour
import numpy as np
import pytest

from configs import default
from expocm_jax.errors import UserError
from input_pipeline.camera import response
from input_pipeline.camera.photograph import Camera
from input_pipeline.camera.response import Response
from tests.support.dorf import AXIS, CURVES, write_dorf

CAMERA = Camera(**default.get_config().camera)

RESPONSES = {
  "srgb": Response(),
  "encoding": Response(gamma=0.85, s=1.0),
  "film": Response(film=1.0, exponent=1.05, sigma=0.4),
  "both": Response(gamma=1.18, s=0.25, film=0.5, exponent=0.75, sigma=0.9),
  "channels": Response(
    gamma=np.array([0.85, 1.0, 1.18]), s=0.2, film=0.7, exponent=np.array([1.05, 0.9, 0.75])
  ),
}


def reference(signal, r):
  """As the docstrings print it, one channel after the other, float64."""
  out = np.empty(signal.shape)
  for c in range(3):
    x = np.clip(np.float64(signal[..., c]), 0, 1)
    gamma, exponent = (np.broadcast_to(v, 3)[c] for v in (r.gamma, r.exponent))
    v = colour.models.eotf_inverse_sRGB(x) ** gamma
    encoding = (1 - r.s) * v + r.s * (3 * v**2 - 2 * v**3)
    film = (1 + r.sigma) * x**exponent / (x**exponent + r.sigma)
    out[..., c] = (1 - r.film) * encoding + r.film * film
  return out


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_curve_is_as_printed_in_each_channel(name, dtype):
  x = np.stack([np.linspace(-0.1, 1.2, 1301), np.geomspace(1e-6, 1, 1301), np.linspace(1, 0, 1301)])
  got = RESPONSES[name](x.T.astype(dtype))
  assert got.dtype == dtype
  np.testing.assert_allclose(got, reference(x.T.astype(dtype), RESPONSES[name]), atol=2e-6)


@pytest.mark.parametrize("name", RESPONSES)
def test_the_curve_rises_from_zero_to_one(name):
  x = np.repeat(np.linspace(0, 1, 1001)[:, None], 3, axis=1)
  value = RESPONSES[name](x)
  assert (value[0] == 0).all()
  np.testing.assert_allclose(value[-1], 1.0, atol=1e-7)
  assert (np.diff(value, axis=0) > 0).all()


def test_the_default_is_srgb_for_any_shape():
  x = np.linspace(0, 1, 257)
  expected = colour.models.eotf_inverse_sRGB(x)
  np.testing.assert_allclose(Response()(x), expected, atol=1e-6)


@pytest.mark.parametrize("name", RESPONSES)
def test_develop_rounds_the_response_of_each_channel(name):
  rng = np.random.default_rng(0)
  signal = rng.uniform(-0.2, 1.3, (64, 64, 3)).astype(np.float32) ** 3
  codes = response.develop(signal, RESPONSES[name])
  exact = 255 * reference(signal, RESPONSES[name])
  assert codes.dtype == np.uint8
  assert np.abs(codes - exact).max() < 0.5 + 0.15  # the table's share of it: about 0.1
  assert (codes != np.rint(exact)).mean() < 0.1
  assert (codes[signal >= 1] == 255).all() and (codes[signal <= 0] == 0).all()


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_the_held_out_family_is_narkowicz_s_curve_then_srgb(gain):
  x = np.linspace(0, 1, 1001)
  tone = lambda v: (v * (2.51 * v + 0.03)) / (v * (2.43 * v + 0.59) + 0.14)
  expected = colour.models.eotf_inverse_sRGB(tone(gain * x) / tone(gain))
  got = response.Filmic(gain)(x.astype(np.float32))
  assert got.dtype == np.float32
  np.testing.assert_allclose(got, expected, atol=2e-6)
  assert got[0] == 0 and got[-1] == pytest.approx(1) and (np.diff(got) > 0).all()


@pytest.mark.parametrize("curve", [*RESPONSES.values(), response.Filmic(0.7)])
def test_linearise_undoes_the_response(curve):
  signal = np.random.default_rng(0).uniform(0.01, 1, (32, 32, 3)).astype(np.float32)
  back = response.linearise(curve(signal), curve)
  assert back.dtype == np.float32
  np.testing.assert_allclose(back, signal, rtol=2e-3, atol=1e-4)


def test_each_kind_of_response_is_drawn_by_its_name():
  draw = lambda kind, seed: response.draw(
    np.random.default_rng(seed), dataclasses.replace(CAMERA, response=kind)
  )
  assert draw("srgb", 0) == Response()
  gains = [draw("filmic", seed).gain for seed in range(200)]
  low, high = response.FILMIC_GAIN
  assert low <= min(gains) < 1.05 * low and 0.95 * high < max(gains) <= high


def test_draws_are_of_the_ranges_and_of_the_generator_alone():
  camera = dataclasses.replace(CAMERA, response_channel=0.0)
  drawn = [response.draw(np.random.default_rng(seed), camera) for seed in range(200)]
  ranges = {
    "gamma": camera.response_gamma, "s": camera.response_s, "film": camera.response_film,
    "exponent": camera.film_exponent, "sigma": camera.film_sigma,
  }  # fmt: skip
  for name, (low, high) in ranges.items():
    values = np.array([np.broadcast_to(getattr(r, name), 3) for r in drawn])
    assert (values == values[:, :1]).all()
    assert low <= values.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < values.max() <= high
  again = response.draw(np.random.default_rng(7), camera)
  assert all(np.array_equal(a, b) for a, b in zip(again, drawn[7], strict=True))


def test_the_channels_differ_by_their_spread():
  camera = dataclasses.replace(
    CAMERA, response_channel=0.05, response_gamma=(1, 1), film_exponent=(0.9, 0.9)
  )
  drawn = [response.draw(np.random.default_rng(seed), camera) for seed in range(300)]
  spread = np.log([r.gamma for r in drawn])
  assert np.std(spread) == pytest.approx(0.05, rel=0.1)
  correlation = np.corrcoef(spread.T) - np.eye(3)
  assert np.abs(correlation).max() < 0.2
  np.testing.assert_allclose([r.exponent / 0.9 for r in drawn], np.exp(spread), rtol=1e-12)


@pytest.mark.parametrize(
  "spoil, problem",
  [
    (lambda text: "", "0 lines"),
    (lambda text: text + "one more\n", "13 lines, which is no multiple of 6"),
    (lambda text: text.replace("I =", "B ="), "line 3 is 'B =', not 'I' ="),
    (lambda text: text.replace("0.00000000 ", "x ", 1), "no number"),
    (lambda text: text.replace("0.00000000 ", "", 1), "1023 irradiances, 1024 brightnesses"),
    (lambda text: text.replace("0.00000000 ", "0.9 "), "does not rise"),
    (lambda text: text.replace("1.00000000\n", "nan\n"), "does not rise"),
  ],
)
def test_a_file_that_is_not_dorf(tmp_path, spoil, problem):
  path = tmp_path / "dorfCurves.txt"
  write_dorf(path)
  path.write_text(spoil(path.read_text()))
  with pytest.raises(UserError) as error:
    response.read_dorf(str(path))
  message = str(error.value)
  assert message.startswith(str(path)) and problem in message and "\n" not in message


def test_curves_are_read_as_they_are(tmp_path):
  curves = response.read_dorf(write_dorf(tmp_path / "curves.txt"))
  assert [name for name, _, _ in curves] == list(CURVES)
  for name, irradiance, brightness in curves:
    np.testing.assert_allclose(irradiance, AXIS, atol=1e-6)
    np.testing.assert_allclose(brightness, CURVES[name], atol=1e-6)
  with pytest.raises(UserError, match="cannot be read"):
    response.read_dorf(str(tmp_path / "nowhere.txt"))
