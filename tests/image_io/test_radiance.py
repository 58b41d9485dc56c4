"""Radiance .hdr in and out."""

import time

import cv2
import imagecodecs
import numpy as np
import pytest

from expocm_jax.colorimetry import rgb_to_xyz, to_bt709
from expocm_jax.errors import UserError
from expocm_jax.image_io import read_hdr, write_hdr

RNG = np.random.default_rng(0)
NOISE = (2.0 ** RNG.uniform(-20, 20, (40, 33, 3))).astype(np.float32)
FLAT = np.repeat(np.repeat(NOISE[:4, :3], 10, 0), 50, 1)


def within_half_a_step(back, hdr):
  """The step is 2^(e - 8) for the pixel's largest channel in [2^(e-1), 2^e)."""
  exponent = np.frexp(hdr.max(axis=-1, keepdims=True))[1]
  exponent += back.max(axis=-1, keepdims=True) >= np.ldexp(1.0, exponent)  # carried to 2^e
  return (np.abs(back - hdr) <= 0.5 * np.ldexp(1.0, exponent - 8)).all()


@pytest.mark.parametrize(
  "hdr",
  [
    NOISE,
    FLAT,
    FLAT[:, :130],
    np.ones((3, 8, 3)),
    NOISE[:, :7],
    NOISE[:1, :1],
    NOISE[:, :8],
    np.zeros((2, 300, 3)),
    np.full((1, 40000, 3), 0.25),
    np.full((2, 9, 3), 255.9),
  ],
)
def test_radiance_round_trip_and_two_other_readers(hdr, tmp_path):
  path, hdr = tmp_path / "a.hdr", np.asarray(hdr, np.float32)
  write_hdr(path, hdr)
  back = read_hdr(path)
  assert back.dtype == np.float32 and back.shape == hdr.shape
  assert within_half_a_step(back, hdr)
  np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1], back)
  np.testing.assert_array_equal(imagecodecs.rgbe_decode(path.read_bytes()), back)


def test_radiance_is_compressed_and_says_its_scale(tmp_path):
  path = tmp_path / "a.hdr"
  write_hdr(path, FLAT, attributes={"weights": "tiny\n1"})
  data = path.read_bytes()
  assert len(data) < FLAT[..., 0].size * 4 / 10
  header = data.split(b"\n\n")[0].decode().split("\n")
  assert header[0] == "#?RADIANCE" and "FORMAT=32-bit_rle_rgbe" in header
  assert "# comments: linear BT.709 D65, 1.0 = the white of the input photo" in header
  assert "# weights: tiny 1" in header


@pytest.mark.filterwarnings("error")
def test_radiance_extremes(tmp_path):
  hdr = np.array([[[0, 0, 0], [-1, 2, 0], [1e-38, 0, 0], [1e99, 1, 1], [1e-30, 1e-30, 0]]])
  write_hdr(tmp_path / "a.hdr", hdr)
  back = read_hdr(tmp_path / "a.hdr")[0]
  np.testing.assert_allclose(back[:3], [[0, 0, 0], [0, 2, 0], [0, 0, 0]])
  assert back[3, 0] > 1e37
  np.testing.assert_allclose(back[4], [1e-30, 1e-30, 0], rtol=0.01)


def test_half_precision_is_written_as_it_is(tmp_path):
  hdr = np.array([[[60000, 1000, 0], [0.5, 0.25, 0.125]]], np.float16)
  write_hdr(tmp_path / "a.hdr", hdr)
  assert within_half_a_step(read_hdr(tmp_path / "a.hdr"), hdr.astype(np.float32))


def store(path, pixels, size, *, header="FORMAT=32-bit_rle_rgbe\n"):
  path.write_bytes(f"#?RADIANCE\n{header}\n{size}\n".encode() + bytes(pixels))
  return path


def gray_pixels(values):
  """Bytes of RGBE pixels value/256 with exponent 128."""
  return b"".join(bytes([v, v, v, 128]) for v in values)


def test_flat_and_old_run_lengths(tmp_path):
  path = tmp_path / "a.hdr"
  image = read_hdr(store(path, gray_pixels([10, 20, 30, 40, 50, 60]), "-Y 2 +X 3"))
  np.testing.assert_array_equal(image[..., 0] * 256, [[10, 20, 30], [40, 50, 60]])
  runs = gray_pixels([10]) + bytes([1, 1, 1, 4]) + gray_pixels([20])
  image = read_hdr(store(path, runs, "-Y 2 +X 3"))
  np.testing.assert_array_equal(image[..., 1] * 256, [[10, 10, 10], [10, 10, 20]])
  long = gray_pixels([10]) + bytes([1, 1, 1, 44, 1, 1, 1, 1]) + gray_pixels([20])  # 44 + 256
  image = read_hdr(store(path, long, "-Y 1 +X 302"))
  np.testing.assert_array_equal(image[0, :, 2] * 256, [10] * 301 + [20])


@pytest.mark.parametrize(
  "size, expected",
  [
    ("-Y 2 +X 3", [[1, 2, 3], [4, 5, 6]]),
    ("+Y 2 +X 3", [[4, 5, 6], [1, 2, 3]]),
    ("-Y 2 -X 3", [[3, 2, 1], [6, 5, 4]]),
    ("+Y 2 -X 3", [[6, 5, 4], [3, 2, 1]]),
    # First scanline = leftmost column (+X), running downwards (-Y) or upwards (+Y).
    ("+X 2 -Y 3", [[1, 4], [2, 5], [3, 6]]),
    ("+X 2 +Y 3", [[3, 6], [2, 5], [1, 4]]),
    ("-X 2 -Y 3", [[4, 1], [5, 2], [6, 3]]),
    ("-X 2 +Y 3", [[6, 3], [5, 2], [4, 1]]),
  ],
)
def test_radiance_orientations(size, expected, tmp_path):
  image = read_hdr(store(tmp_path / "a.hdr", gray_pixels(range(20, 140, 20)), size))
  np.testing.assert_array_equal(image[..., 0] * 256 / 20, expected)


def test_radiance_header(tmp_path):
  path, pixel = tmp_path / "a.hdr", bytes([128, 64, 32, 129])
  plain = np.array([1, 0.5, 0.25])
  for header, expected in [
    ("EXPOSURE=2\nEXPOSURE= 4\n", plain / 8),
    ("COLORCORR=1 2 4\n", plain / [1, 2, 4]),
    ("\tEXPOSURE=4\nEXPOSURE=2\n", plain / 2),  # indented: of a picture it was made from
    ("# note\nSOFTWARE=x\n", plain),
    ("PRIMARIES=0 0 0 0 0 0 0 0\n", plain),
    (
      "FORMAT=32-bit_rle_xyze\n",
      np.linalg.inv(rgb_to_xyz((0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290))) @ plain,
    ),
    (
      "PRIMARIES=.64 .33 .29 .60 .15 .06 .3333 .3333\n",
      to_bt709((0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3333, 0.3333)) @ plain,
    ),
  ]:
    image = read_hdr(store(path, pixel, "-Y 1 +X 1", header=header))
    np.testing.assert_allclose(image[0, 0], np.maximum(expected, 0), rtol=1e-5)
  for header, match in (
    ("FORMAT=16-bit\n", "'16-bit' is not known"),
    ("EXPOSURE=0\n", "EXPOSURE"),
    ("EXPOSURE=x\n", "damaged"),
  ):
    with pytest.raises(UserError, match=match):
      read_hdr(store(path, pixel, "-Y 1 +X 1", header=header))


def test_bytes_after_the_image_do_no_harm(tmp_path):
  path = tmp_path / "a.hdr"
  for hdr in (FLAT, NOISE[:, :5]):
    write_hdr(path, hdr)
    expected = read_hdr(path)
    path.write_bytes(path.read_bytes() + b"\r\n more")
    np.testing.assert_array_equal(read_hdr(path), expected)


def test_damaged_radiance(tmp_path):
  path = tmp_path / "a.hdr"
  for hdr in (NOISE, FLAT, NOISE[:, :5]):
    write_hdr(path, hdr)
    data = path.read_bytes()
    for size in (12, 60, 200, len(data) - 100, len(data) - 1):
      path.write_bytes(data[:size])
      with pytest.raises(UserError, match="damaged or incomplete Radiance") as error:
        read_hdr(path)
      assert str(error.value).startswith(f"{path}: ")
  for pixels, size in (
    (bytes([1, 1, 1, 9]) * 9, "-Y 1 +X 6"),
    (bytes(24), "-Y 1 +Y 6"),
    (gray_pixels([9]) + bytes([1, 1, 1, 255]) * 5, "-Y 1 +X 6"),
    (bytes([2, 2, 0, 8] + [0] * 99), "-Y 1 +X 8"),
    (bytes([2, 2, 0, 8] + [136, 9] * 4 + [2, 2, 0, 9] + [136, 9] * 99), "-Y 2 +X 8"),
    (bytes([2, 2, 0, 8] + [136, 9] * 4) + gray_pixels(range(8)), "-Y 2 +X 8"),
    (b"", "what"),
  ):
    with pytest.raises(UserError, match="damaged"):
      read_hdr(store(path, pixels, size))
  with pytest.raises(UserError, match="megapixels"):
    read_hdr(store(path, b"", "-Y 99999 +X 99999"))


def test_radiance_that_lacks_bytes_in_its_middle(tmp_path):
  write_hdr(tmp_path / "a.hdr", NOISE)  # its run lengths are longer than flat pixels
  data = (tmp_path / "a.hdr").read_bytes()
  for start in range(400, 5000, 200):
    (tmp_path / "a.hdr").write_bytes(data[:start] + data[start + 2 :])
    with pytest.raises(UserError, match="damaged or incomplete Radiance"):
      read_hdr(tmp_path / "a.hdr")


def test_radiance_is_fast_enough(tmp_path):
  """Half a megapixel of noise: a loop over pixels would take far longer than these 0.2 s."""
  hdr = RNG.random((500, 1000, 3), np.float32)
  start = time.process_time()
  write_hdr(tmp_path / "a.hdr", hdr)
  read_hdr(tmp_path / "a.hdr")
  assert time.process_time() - start < 3
