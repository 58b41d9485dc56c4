"""Calibration: the response of a bracket that the camera model made is found again."""

import builtins
import pathlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from expocm_jax import image_io
from expocm_jax.colorimetry import srgb_to_linear
from expocm_jax.errors import UserError
from expocm_jax.inference.response import read_response_csv
from expocm_jax.programs import calibrate
from input_pipeline.camera import photograph, response

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
RESPONSE = response.Response(gamma=1.05, s=0.2, film=0.7, sigma=0.6)
TIMES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
OPTIONS = {"quality": 95, "subsampling": 0}


def photos(folder):
  """A bracket of JPEGs of eleven stops of coloured ramps, with exposure times in the EXIF."""
  rng = np.random.default_rng(0)
  rows, columns = np.mgrid[0:96, 0:96] / 96
  stops = [6 * columns - 5 + 0.5 * np.sin(9 * rows + phase) for phase in range(3)]
  scene = np.exp2(np.stack(stops, axis=-1)).astype(np.float32)
  for number, time in enumerate(TIMES):
    signal = photograph.sensor_noise(scene * np.float32(time), rng, read=0.0008, shot=0.002)
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif).update(
      {ExifTags.Base.ExposureTime: time / 50, ExifTags.Base.ISOSpeedRatings: 200}
    )
    image = Image.fromarray(response.develop(signal, RESPONSE))
    image.save(folder / f"{number}.jpg", exif=exif, **OPTIONS)
  return folder


@pytest.fixture(scope="module")
def bracket(tmp_path_factory):
  return photos(tmp_path_factory.mktemp("bracket"))


@pytest.mark.parametrize("exposures", [None, [f"{t}" for t in TIMES]], ids=["exif", "given"])
@pytest.mark.parametrize("method", calibrate.METHODS)
def test_the_response_is_found_again(bracket, tmp_path, method, exposures, capsys):
  output = tmp_path / "curve.csv"
  curve = calibrate.main(input=bracket, output=output, method=method, exposures=exposures)
  codes = np.arange(256, dtype=np.float32)[None, :, None].repeat(3, axis=2) / 255
  true = response.linearise(codes, RESPONSE)[0]
  middle = slice(30, 226)
  np.testing.assert_allclose(curve.linear[middle], true[middle], rtol=0.04)  # 2 % by Debevec
  assert (np.diff(curve.linear, axis=0) >= 0).all()
  np.testing.assert_array_equal(curve.linear[[0, -1]], [[0] * 3, [1] * 3])
  np.testing.assert_allclose(read_response_csv(output).linear, curve.linear)
  assert "7 photos, 6.0 stops apart" in capsys.readouterr().out


def test_clipped_pixels_of_a_real_scene_do_not_darken_the_curve(tmp_path):
  """JPEG mixes them with their neighbours: codes just below white, of no light in particular."""
  scene = image_io.read_hdr(EXAMPLES / "neon_photostudio.truth.exr")[::2, ::2]
  times = 2.0 ** np.arange(-6, 1)
  for number, time in enumerate(times):
    image = response.develop(scene * np.float32(4 * time), response.Response())
    Image.fromarray(image).save(tmp_path / f"{number}.jpg", **OPTIONS)
  curve = calibrate.main(
    input=tmp_path, output=tmp_path / "curve.csv", exposures=[str(time) for time in times]
  )
  codes = np.arange(30, 226)
  true = srgb_to_linear(codes / 255)[:, None].repeat(3, axis=1)
  np.testing.assert_allclose(curve.linear[codes], true, rtol=0.1)


def test_aperture_and_iso_count_too(tmp_path):
  exif = Image.Exif()
  exif.get_ifd(ExifTags.IFD.Exif).update(
    {
      ExifTags.Base.ExposureTime: 0.5,
      ExifTags.Base.ISOSpeedRatings: 400,
      ExifTags.Base.FNumber: 2.0,
    }
  )
  Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
  assert calibrate._from_exif(tmp_path / "a.jpg") == pytest.approx(50)


@pytest.mark.parametrize(
  "change, problem",
  [
    ({"output": "curve.txt"}, "written as .csv"),
    ({"exposures": ["1", "2"]}, "2 for 7 photos"),
    ({"exposures": ["1/0"] * 7}, "--exposures=1/0: no exposure time"),
    ({"exposures": ["-1"] * 7}, "--exposures=-1"),
    ({"exposures": ["1/60"] * 7}, "of one exposure"),
    ({"input": "nowhere"}, "nowhere: no such file"),
  ],
)
def test_what_cannot_be_done(bracket, tmp_path, monkeypatch, change, problem):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError, match=problem) as error:
    calibrate.main(**{"input": bracket, "output": "curve.csv"} | change)
  assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_photos_that_do_not_belong_together(tmp_path):
  for number, size in enumerate(((9, 5), (5, 9))):
    image_io.write_png(tmp_path / f"{number}.png", np.zeros((*size, 3)))
  options = {"input": tmp_path, "output": tmp_path / "c.csv"}
  with pytest.raises(UserError, match=r"1\.png: 9 x 5 pixels, 0\.png has 5 x 9"):
    calibrate.main(**options, exposures=["1", "2"])
  with pytest.raises(UserError, match=r"0\.png: its EXIF tells no exposure time"):
    calibrate.main(**options)


@pytest.mark.parametrize("method", calibrate.METHODS)
def test_photos_that_tell_nothing(tmp_path, method):
  for number in range(2):
    image_io.write_png(tmp_path / f"{number}.png", np.zeros((16, 16, 3)))
  options = {"input": tmp_path, "output": tmp_path / "c.csv", "exposures": ["1", "2"]}
  with pytest.raises(UserError, match="no response was found") as error:
    calibrate.main(**options, method=method)
  assert "\n" not in str(error.value)


def test_without_opencv_the_extra_is_named(bracket, tmp_path, monkeypatch):
  load = builtins.__import__

  def fail(name, *rest, **options):
    if name == "cv2":
      raise ImportError(name)
    return load(name, *rest, **options)

  monkeypatch.setattr(builtins, "__import__", fail)
  with pytest.raises(UserError, match=r"expocm_jax\[calibrate\]"):
    calibrate.main(input=bracket, output=tmp_path / "c.csv")
