"""Embedded colour profiles."""

import struct

import colour
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from expocm_jax.errors import UserError
from expocm_jax.image_io import read_ldr

D65 = (0.3127, 0.3290, 1.0)
P3 = imagecodecs.cms_profile(
  "rgb", whitepoint=D65, gamma=2.2, primaries=[0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1]
)
GREY = imagecodecs.cms_profile("gray", whitepoint=D65, gamma=1.8)
# Inside sRGB when read as P3, so nothing is clipped.
WORDS = np.random.default_rng(0).integers(20000, 45000, (6, 5, 3)).astype(np.uint16)


def p3_to_srgb(encoded):
  """Independent: colour-science."""
  linear = colour.RGB_to_RGB((encoded / 1.0) ** 2.2, "Display P3", "sRGB")
  return np.clip(colour.cctf_encoding(linear, function="sRGB"), 0, 1)


def test_eight_bit_photos_become_srgb(tmp_path):
  pixels = (WORDS >> 8).astype(np.uint8)
  for fmt in ("PNG", "TIFF"):
    Image.fromarray(pixels).save(tmp_path / "a", fmt, icc_profile=P3)
    np.testing.assert_allclose(read_ldr(tmp_path / "a"), p3_to_srgb(pixels / 255), atol=6e-4)


def test_sixteen_bits_are_converted_beyond_eight_bit_precision(tmp_path):
  tifffile.imwrite(tmp_path / "a.tif", WORDS, photometric="rgb", iccprofile=P3)
  np.testing.assert_allclose(read_ldr(tmp_path / "a.tif"), p3_to_srgb(WORDS / 65535), atol=6e-4)
  step = np.full((1, 2, 3), 30000, np.uint16)
  step[0, 1] += 40  # a sixth of an 8-bit level
  tifffile.imwrite(tmp_path / "a.tif", step, photometric="rgb", iccprofile=P3)
  dark, light = read_ldr(tmp_path / "a.tif")[0]
  assert (light > dark).all()


def test_out_of_gamut_is_clipped_and_srgb_left_alone(tmp_path):
  Image.new("RGB", (2, 2), (0, 255, 0)).save(tmp_path / "a.png", icc_profile=P3)
  np.testing.assert_allclose(read_ldr(tmp_path / "a.png")[0, 0], [0, 1, 0], atol=1e-5)
  pixels = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8)
  srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
  Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=srgb)
  np.testing.assert_array_equal(np.float32(pixels / 255), read_ldr(tmp_path / "a.png"))


def test_grey_profiles(tmp_path):
  grey = np.arange(0, 256, 5, np.uint8)[None]
  Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=GREY)
  expected = colour.cctf_encoding((grey / 255) ** 1.8, function="sRGB")[..., None].repeat(3, -1)
  np.testing.assert_allclose(read_ldr(tmp_path / "a.png"), expected, atol=2e-3)


def test_useless_profiles_are_ignored_with_a_warning(tmp_path):
  pixels = (WORDS >> 8).astype(np.uint8)
  broken = P3[:36] + b"junk" + P3[40:200]
  for profile in (broken, GREY):
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    with pytest.warns(UserWarning, match="a.png: colour profile ignored"):
      image = read_ldr(tmp_path / "a.png")
    np.testing.assert_array_equal(image, np.float32(pixels / 255))


def cmyk_profile():
  """A printer whose ink K alone darkens: A2B0 with two grid points a channel, Lab out."""
  lab = b"".join(struct.pack("3B", 0 if k else 255, 128, 128) for _ in range(8) for k in (0, 1))
  identity = bytes(range(256))
  lut = struct.pack(">4s4xBBBx9i", b"mft1", 4, 3, 2, *(65536 * (i % 4 == 0) for i in range(9)))
  lut += identity * 4 + lab + identity * 3
  white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
  text = struct.pack(">4s4xI", b"desc", 5) + b"test\0" + bytes(78)
  tags = [(b"A2B0", lut), (b"wtpt", white), (b"desc", text)]
  offset, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
  for name, data in tags:
    data += bytes(-len(data) % 4)
    table += struct.pack(">4sII", name, offset + len(body), len(data))
    body += data
  head = struct.pack(
    ">I4sI4s4s4s12x4s28x3i",
    offset + len(body),
    b"lcms",
    0x02400000,
    b"prtr",
    b"CMYK",
    b"Lab ",
    b"acsp",
    63190,
    65536,
    54061,
  )
  return head.ljust(128, b"\0") + table + body


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF"])
def test_cmyk_is_converted_by_its_profile_or_refused(fmt, tmp_path):
  image = Image.new("CMYK", (16, 16), (200, 0, 0, 0))
  image.paste((0, 0, 0, 255), (0, 0, 8, 16))
  image.save(tmp_path / "a", fmt, icc_profile=cmyk_profile())
  pixels = read_ldr(tmp_path / "a")
  np.testing.assert_allclose(pixels[:, :8], 0, atol=0.02)  # black ink
  np.testing.assert_allclose(pixels[:, 8:], 1, atol=0.02)  # this printer's cyan is invisible
  image.save(tmp_path / "a", fmt)
  with pytest.raises(UserError, match="CMYK without a colour profile.*; convert"):
    read_ldr(tmp_path / "a")
  image.save(tmp_path / "a", fmt, icc_profile=P3)
  with pytest.raises(UserError, match="damaged or incomplete CMYK colour profile"):
    read_ldr(tmp_path / "a")
