"""Photos in."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from expocm_jax.errors import UserError
from expocm_jax.image_io import inputs, read_ldr

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (9, 7, 3)).astype(np.uint8)
WORDS = RNG.integers(0, 65536, (9, 7, 3)).astype(np.uint16)


def check(path, expected, tolerance=1e-7):
  image = read_ldr(path)
  assert image.dtype == np.float32 and image.flags.c_contiguous and image.flags.writeable
  assert image.shape == expected.shape
  np.testing.assert_allclose(image, expected, atol=tolerance)


@pytest.mark.parametrize(
  "fmt, options",
  [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_lossless_formats_whatever_the_suffix(fmt, options, tmp_path):
  Image.fromarray(BYTES).save(tmp_path / "a.jpg", fmt, **options)
  check(tmp_path / "a.jpg", BYTES / 255)


@pytest.mark.parametrize(
  "fmt, options",
  [
    ("JPEG", {"quality": 97, "subsampling": 0}),
    ("WEBP", {"quality": 100}),
    ("JPEG", {"quality": 97, "subsampling": 0, "progressive": True}),
    ("MPO", {"quality": 97, "subsampling": 0, "save_all": True}),  # what many phones write
  ],
)
def test_lossy_formats(fmt, options, tmp_path):
  ramp = np.linspace(0, 1, 64)[None, :, None] * np.ones((48, 1, 3)) * [1.0, 0.5, 0.2]
  Image.fromarray(np.rint(ramp * 255).astype(np.uint8)).save(tmp_path / "a", fmt, **options)
  check(tmp_path / "a", ramp, 0.03)


# The transforms of the EXIF specification: where the stored first row and column are seen.
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "PNG16", "TIFF16"])
@pytest.mark.parametrize(
  "orientation, sides",
  [
    (1, "top left"),
    (2, "top right"),
    (3, "bottom right"),
    (4, "bottom left"),
    (5, "left top"),
    (6, "right top"),
    (7, "right bottom"),
    (8, "left bottom"),
  ],
)
def test_orientation(fmt, orientation, sides, tmp_path):
  stored = np.zeros((16, 32), np.uint8)
  stored[:8] += 60  # row 0 is bright
  stored[:, :16] += 120  # and column 0 more so
  exif = Image.Exif()
  exif[274] = orientation
  path = tmp_path / "a"
  if fmt == "TIFF16":
    tifffile.imwrite(
      path,
      stored.astype(np.uint16) * 257,
      photometric="minisblack",
      extratags=[(274, 3, 1, orientation, True)],
    )
  elif fmt == "PNG16":
    plain = io.BytesIO()
    Image.fromarray(stored.astype(np.uint16) * 257).save(plain, "PNG", exif=exif)
    path.write_bytes(plain.getvalue())
  else:
    options = {"quality": 100} if fmt == "JPEG" else {"lossless": True} if fmt == "WEBP" else {}
    Image.fromarray(stored).convert("RGB").save(path, fmt, exif=exif, **options)
  image = read_ldr(path)[..., 0]
  halves = {
    "top": image[: len(image) // 2],
    "bottom": image[len(image) // 2 :],
    "left": image[:, : image.shape[1] // 2],
    "right": image[:, image.shape[1] // 2 :],
  }
  means = {side: float(half.mean()) for side, half in halves.items()}
  row, column = sides.split()
  opposite = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
  assert image.shape == ((16, 32) if orientation < 5 else (32, 16))
  assert means[row] - means[opposite[row]] == pytest.approx(60 / 255, abs=0.02)
  assert means[column] - means[opposite[column]] == pytest.approx(120 / 255, abs=0.02)


def test_sixteen_bits_are_kept(tmp_path):
  (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(WORDS))
  check(tmp_path / "a.png", WORDS / 65535)
  grey = np.ascontiguousarray(WORDS[..., 0])
  (tmp_path / "g.png").write_bytes(imagecodecs.png_encode(grey))
  check(tmp_path / "g.png", np.repeat(WORDS[..., :1], 3, -1) / 65535)
  rgba = np.concatenate([WORDS, WORDS[..., :1]], axis=-1)
  (tmp_path / "b.png").write_bytes(imagecodecs.png_encode(rgba))
  check(tmp_path / "b.png", WORDS / 65535)


@pytest.mark.parametrize(
  "options",
  [
    {},
    {"compression": "zlib", "predictor": True},
    {"planarconfig": "separate"},
    {"bigtiff": True, "byteorder": ">"},
    {"tile": (16, 16)},
  ],
)
def test_deep_tiff(options, tmp_path):
  data = np.moveaxis(WORDS, -1, 0) if "planarconfig" in options else WORDS
  tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", **options)
  check(tmp_path / "a.tif", WORDS / 65535)


def test_float_tiff_and_inverted_grey(tmp_path):
  path = tmp_path / "a.tif"
  floats = RNG.random((5, 6, 3), np.float32)
  tifffile.imwrite(path, floats, photometric="rgb")
  check(path, floats)
  tifffile.imwrite(path, WORDS[..., 0], photometric="miniswhite")
  check(path, 1 - np.repeat(WORDS[..., :1], 3, -1) / 65535)
  for value, match in ((np.nan, "NaN"), (200.0, "up to 200")):
    floats[0, 0, 0] = value
    tifffile.imwrite(path, floats, photometric="rgb")
    with pytest.raises(UserError, match=match):
      read_ldr(path)


def test_grey_palette_and_alpha(tmp_path):
  path, grey = tmp_path / "a.png", BYTES[..., 0]
  as_rgb = np.repeat(grey[..., None], 3, axis=-1) / 255
  Image.fromarray(grey).save(path)
  check(path, as_rgb)
  alpha = np.zeros_like(grey)
  Image.fromarray(np.dstack([grey, alpha]), "LA").save(path)
  check(path, as_rgb)
  Image.fromarray(np.dstack([BYTES, alpha]), "RGBA").save(path)
  check(path, BYTES / 255)
  bits = Image.fromarray(grey > 128)
  bits.save(path)
  check(path, np.repeat((grey > 128)[..., None], 3, axis=-1).astype(float))
  palette = Image.fromarray(BYTES).quantize(16)
  for options in ({}, {"transparency": b"\x00\x80"}):
    palette.save(path, **options)
    check(path, np.asarray(palette.convert("RGB")) / 255)


@pytest.mark.parametrize("size", [(1, 1), (100000, 1), (1, 100000)])
def test_extreme_sizes(size, tmp_path):
  Image.new("RGB", size, (255, 0, 51)).save(tmp_path / "a.png")
  check(tmp_path / "a.png", np.broadcast_to([1, 0, 0.2], (size[1], size[0], 3)))


@pytest.mark.parametrize("side", [11_000, 20_000])  # Pillow warns at one, raises at the other
def test_too_many_pixels_are_refused_from_the_header(side, tmp_path, recwarn):
  data = bytearray(saved("PNG", {}))
  data[16:24] = struct.pack(">II", side, side)
  data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
  (tmp_path / "a.png").write_bytes(data)
  with pytest.raises(UserError, match="megapixels.*scale or crop"):
    read_ldr(tmp_path / "a.png")
  tifffile.memmap(tmp_path / "a.tif", shape=(side, side), dtype=np.uint16).flush()
  with pytest.raises(UserError, match="megapixels.*scale or crop"):
    read_ldr(tmp_path / "a.tif")
  assert not recwarn.list
  assert inputs.MAX_PIXELS >= 100e6


@pytest.mark.parametrize(
  "make",
  [
    *[
      lambda f=f, o=o: saved(f, o)
      for f, o in [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "jpeg"}),
      ]
    ],
    lambda: imagecodecs.png_encode(np.tile(WORDS, (8, 8, 1))),
    lambda: deep_tiff(),
  ],
)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.9])
def test_truncated_files_are_refused(make, share, tmp_path):
  path, data = tmp_path / "a.img", make()
  path.write_bytes(data)
  read_ldr(path)
  path.write_bytes(data[: int(len(data) * share)])
  with pytest.raises(UserError, match="damaged or incomplete .*download it again") as error:
    read_ldr(path)
  assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def saved(fmt, options):
  out = io.BytesIO()
  Image.fromarray(np.tile(BYTES, (8, 8, 1))).save(out, fmt, **options)
  return out.getvalue()


def deep_tiff():
  out = io.BytesIO()
  tifffile.imwrite(out, np.tile(WORDS, (8, 8, 1)), photometric="rgb", compression="zlib")
  return out.getvalue()


def test_corrupt_png_is_refused(tmp_path):
  for data in (saved("PNG", {}), imagecodecs.png_encode(WORDS)):
    data = bytearray(data)
    data[len(data) // 2] ^= 0x55
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
      read_ldr(tmp_path / "a.png")


def test_broken_exif_does_not_cost_the_photo(tmp_path, recwarn):
  Image.fromarray(BYTES).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12")
  check(tmp_path / "a.png", BYTES / 255)
  assert not recwarn.list
