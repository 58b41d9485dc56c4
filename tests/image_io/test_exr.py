"""OpenEXR in and out."""

import colour
import numpy as np
import OpenEXR
import pytest

from expocm_jax.errors import UserError
from expocm_jax.image_io import exr, input_files, read_hdr, write_hdr

RGB = (np.random.default_rng(0).random((20, 34, 3)) ** 4 * 100).astype(np.float16)
R, G, B = (np.ascontiguousarray(RGB[..., i]) for i in range(3))


def store(path, channels, **header):
  OpenEXR.File(header, channels).write(str(path))
  return path


@pytest.mark.parametrize("dtype, numpy_dtype", [("half", np.float16), ("float", np.float32)])
def test_round_trip_is_bit_exact(dtype, numpy_dtype, tmp_path):
  rng = np.random.default_rng(1)
  hdr = (2.0 ** rng.uniform(-14, 15.9, (31, 17, 3))).astype(numpy_dtype)
  write_hdr(tmp_path / "a.exr", hdr, exr_dtype=dtype)
  np.testing.assert_array_equal(read_hdr(tmp_path / "a.exr"), hdr.astype(np.float32))
  stored = OpenEXR.File(str(tmp_path / "a.exr")).channels()["RGB"].pixels
  assert stored.dtype == numpy_dtype
  with pytest.raises(ValueError, match="exr_dtype"):
    write_hdr(tmp_path / "a.exr", hdr, exr_dtype="double")


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_planes_and_mirrored_views_are_written_as_they_look(dtype, tmp_path):
  """Arrays whose channels or columns do not lie in memory in the order of the image."""
  for hdr in (np.moveaxis(np.stack([R, G, B]), 0, -1), RGB[:, ::-1], RGB.transpose(1, 0, 2)):
    write_hdr(tmp_path / "a.exr", hdr, exr_dtype=dtype)
    np.testing.assert_array_equal(read_hdr(tmp_path / "a.exr"), hdr.astype(np.float32))


def test_the_scale_stands_in_the_header(tmp_path):
  path = tmp_path / "a.exr"
  write_hdr(path, RGB, attributes={"owner": "me", "seed": 3})
  header = OpenEXR.File(str(path)).header()
  assert header["whiteLuminance"] == 203 and header["compression"] == OpenEXR.ZIP_COMPRESSION
  assert header["comments"] == "linear BT.709 D65, 1.0 = the white of the input photo"
  assert header["owner"] == "me" and header["seed"] == 3
  np.testing.assert_allclose(
    header["chromaticities"], [0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290], rtol=1e-6
  )
  write_hdr(path, RGB, attributes={"comments": "other"})
  assert OpenEXR.File(str(path)).header()["comments"] == "other"


def test_half_overflow_is_clamped(tmp_path):
  write_hdr(tmp_path / "a.exr", np.full((2, 2, 3), 1e6))
  assert (read_hdr(tmp_path / "a.exr") == 65504).all()


LOSSLESS = ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "HTJ2K32", "HTJ2K256", "ZSTD"]


@pytest.mark.parametrize("name", [*LOSSLESS, "B44", "B44A", "DWAA", "DWAB"])
@pytest.mark.parametrize("storage", [OpenEXR.scanlineimage, OpenEXR.tiledimage])
def test_compressions(name, storage, tmp_path):
  if not hasattr(OpenEXR, f"{name}_COMPRESSION"):
    pytest.skip(f"this OpenEXR knows no {name}")
  header = {"compression": getattr(OpenEXR, f"{name}_COMPRESSION"), "type": storage}
  if storage == OpenEXR.tiledimage:
    header["tiles"] = OpenEXR.TileDescription()
  smooth = np.linspace(1, 2, RGB.size).reshape(RGB.shape).astype(np.float16)
  back = read_hdr(store(tmp_path / "a.exr", {"RGB": smooth}, **header))
  np.testing.assert_allclose(back, smooth, rtol=0 if name in LOSSLESS else 0.05)


def test_channel_layouts(tmp_path):
  path, expected = tmp_path / "a.exr", RGB.astype(np.float32)
  mixed = {"R": R, "G": G.astype(np.float32), "B": B}
  np.testing.assert_array_equal(read_hdr(store(path, mixed)), expected)
  with_alpha = np.dstack([RGB, np.zeros_like(R)])
  np.testing.assert_array_equal(read_hdr(store(path, {"RGBA": with_alpha})), expected)
  views = {
    f"{view}.{c}": p
    for view, k in (("right", 2), ("left", 1))
    for c, p in (("R", R * k), ("G", G * k), ("B", B * k))
  }
  np.testing.assert_array_equal(read_hdr(store(path, views)), expected)
  default = views | {"R": G, "G": B, "B": R}
  np.testing.assert_array_equal(read_hdr(store(path, default)), expected[..., [1, 2, 0]])
  grey = read_hdr(store(path, {"Y": R}))
  np.testing.assert_array_equal(grey, expected[..., :1].repeat(3, -1))


def test_parts(tmp_path):
  parts = [OpenEXR.Part({}, {"Z": R}, "depth"), OpenEXR.Part({}, {"RGB": RGB}, "picture")]
  OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
  np.testing.assert_array_equal(read_hdr(tmp_path / "a.exr"), RGB.astype(np.float32))


def test_luminance_and_chroma(tmp_path):
  """A colour ramp, chroma at half the resolution: linear interpolation gives it back."""
  x = np.linspace(0, 1, 32)[None] + np.zeros((16, 1))
  luminance, ry, by = np.full_like(x, 2.0), 0.4 * x - 0.2, 0.3 - 0.5 * x

  def subsampled(name, plane):
    # The module takes the samples of a subsampled channel from the start of a full array.
    full = np.zeros(plane.size, np.float32)
    full[: plane.size // 4] = plane[::2, ::2].ravel()
    return OpenEXR.Channel(name, full.reshape(plane.shape), 2, 2)

  path = store(
    tmp_path / "a.exr",
    {"Y": luminance.astype(np.float32), "RY": subsampled("RY", ry), "BY": subsampled("BY", by)},
  )
  red, blue = (ry + 1) * luminance, (by + 1) * luminance
  green = (luminance - 0.2126 * red - 0.0722 * blue) / 0.7152
  expected = np.stack([red, green, blue], axis=-1)
  np.testing.assert_allclose(read_hdr(path)[:, :-1], expected[:, :-1], rtol=2e-4)


@pytest.mark.parametrize("space", ["ITU-R BT.2020", "ACES2065-1", "ACEScg"])
def test_other_primaries_become_bt709(space, tmp_path):
  source = colour.RGB_COLOURSPACES[space]
  pixels = np.random.default_rng(2).uniform(1, 2, (4, 5, 3)).astype(np.float32)
  chromaticities = (*source.primaries.ravel().tolist(), *source.whitepoint.tolist())
  path = store(tmp_path / "a.exr", {"RGB": pixels}, chromaticities=chromaticities)
  target = colour.RGB_COLOURSPACES["ITU-R BT.709"]
  matrix = colour.matrix_RGB_to_RGB(source, target, chromatic_adaptation_transform="Bradford")
  expected = np.maximum(pixels @ matrix.T, 0)
  np.testing.assert_allclose(read_hdr(path), expected, atol=2e-3)


def test_xyz_is_not_adapted_and_nonsense_refused(tmp_path):
  xyz = (np.random.default_rng(3).uniform(0.9, 1, (4, 5, 3)) * [0.95, 1, 1.09]).astype(np.float32)
  path = store(
    tmp_path / "a.exr", {"RGB": xyz}, chromaticities=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)
  )
  expected = xyz @ np.linalg.inv(colour.RGB_COLOURSPACES["ITU-R BT.709"].matrix_RGB_to_XYZ).T
  np.testing.assert_allclose(read_hdr(path), expected, atol=2e-3)
  store(path, {"RGB": xyz}, chromaticities=(0.0,) * 8)
  with pytest.raises(UserError, match="impossible chromaticities.*; remove"):
    read_hdr(path)


def test_what_holds_no_colour(tmp_path):
  path = store(tmp_path / "a.exr", {"Z": R, "normal.X": G})
  with pytest.raises(UserError, match=r"no R, G, B or Y among its channels \(Z, normal.X\)"):
    read_hdr(path)
  store(path, {"R": R, "G": G})
  with pytest.raises(UserError, match="no R, G, B"):
    read_hdr(path)


@pytest.mark.parametrize("compression", ["NO", "ZIP", "PIZ", "DWAB"])
def test_truncated_and_corrupt_files(compression, tmp_path):
  path = store(
    tmp_path / "a.exr",
    {"RGB": np.tile(RGB, (5, 5, 1))},
    compression=getattr(OpenEXR, f"{compression}_COMPRESSION"),
  )
  data = path.read_bytes()
  for share in (0.01, 0.3, 0.9, 0.99):
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="damaged or incomplete OpenEXR") as error:
      read_hdr(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_size_is_refused_before_decoding(tmp_path, monkeypatch):
  path = store(tmp_path / "a.exr", {"RGB": RGB})
  monkeypatch.setattr(input_files, "MAX_PIXELS", 600)
  monkeypatch.setattr(exr, "_find_layer", None)
  with pytest.raises(UserError, match="34x20 = 0 megapixels"):
    read_hdr(path)
