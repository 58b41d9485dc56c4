"""JPEG, PNG and WebP in, PNG out."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from expocm_jax.errors import UserError
from expocm_jax.image_io import read_ldr, write_png
from tests.support.photos import BYTES, WORDS, check, saved


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


def test_sixteen_bits_are_kept(tmp_path):
  (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(WORDS))
  check(tmp_path / "a.png", WORDS / 65535)
  grey = np.ascontiguousarray(WORDS[..., 0])
  (tmp_path / "g.png").write_bytes(imagecodecs.png_encode(grey))
  check(tmp_path / "g.png", np.repeat(WORDS[..., :1], 3, -1) / 65535)
  rgba = np.concatenate([WORDS, WORDS[..., :1]], axis=-1)
  (tmp_path / "b.png").write_bytes(imagecodecs.png_encode(rgba))
  check(tmp_path / "b.png", WORDS / 65535)


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


def test_floats_are_rounded_and_clipped(tmp_path):
  image = np.array([-1, 0, 0.4 / 255, 0.6 / 255, 0.5, 1, 7], np.float32)
  write_png(tmp_path / "a.png", np.broadcast_to(image[:, None], (7, 3))[None])
  stored = np.asarray(Image.open(tmp_path / "a.png"))
  np.testing.assert_array_equal(stored[0, :, 0], [0, 0, 0, 1, 128, 255, 255])


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4), (5, 4, 1), (1, 1, 3)])
def test_bytes_come_back(shape, tmp_path):
  image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
  write_png(tmp_path / "a.png", image)
  image = np.atleast_3d(image)
  back = read_ldr(tmp_path / "a.png")
  np.testing.assert_array_equal(np.rint(back * 255), np.broadcast_to(image, (*shape[:2], 3)))


def test_bad_images_are_refused(tmp_path):
  path = tmp_path / "a.png"
  for wrong in (np.zeros((2, 2, 4)), np.zeros(3), np.zeros((0, 2, 3)), np.zeros((2, 2), int)):
    with pytest.raises(ValueError):
      write_png(path, wrong)
  with pytest.raises(UserError, match="NaN"):
    write_png(path, np.full((2, 2, 3), np.nan))
  assert not path.exists()
