"""What comes in through the door: names, folders, and files that are no images."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from expocm_jax.errors import UserError
from expocm_jax.image_io import HDR_SUFFIXES, LDR_SUFFIXES, list_images, read_hdr, read_ldr

READERS = [read_ldr, read_hdr]


def refused(reader, path, match):
  with pytest.raises(UserError, match=match) as error:
    reader(path)
  message = str(error.value)
  assert message.startswith(f"{path}: ") and "; " in message and "\n" not in message


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file(reader, tmp_path):
  refused(reader, tmp_path / "none.png", "no such file")
  refused(reader, tmp_path, "is a folder")
  os.mkfifo(tmp_path / "pipe")
  refused(reader, tmp_path / "pipe", "device or pipe")
  with pytest.raises(UserError, match="not a legal path"):
    reader("a\0b")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["a.jpg", "a.exr", "a.hdr", "a.tif"])
def test_what_is_no_image(reader, name, tmp_path):
  path = tmp_path / name
  path.write_bytes(b"")
  refused(reader, path, "empty")
  path.write_text("Not a picture, whatever its name may say.")
  refused(reader, path, "text file|not an HDR image")
  path.write_bytes(bytes(range(128, 256)))
  refused(reader, path, "understood")


@pytest.mark.parametrize("reader", READERS)
def test_permission_denied(reader, tmp_path, monkeypatch):
  path = tmp_path / "a.png"
  path.write_bytes(b"x")

  def forbidden(*_):
    raise PermissionError(13, "Permission denied")

  monkeypatch.setattr("builtins.open", forbidden)  # root may read everything
  refused(reader, path, "permission denied")


@pytest.mark.parametrize(
  "head, match",
  [
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"%PDF-1.7", "PDF"),
    (b"\0\0\0\x18ftypheic", "HEIC"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE\n", "Radiance"),
  ],
)
def test_ldr_names_other_formats(head, match, tmp_path):
  (tmp_path / "a.jpg").write_bytes(head + bytes(40))
  refused(read_ldr, tmp_path / "a.jpg", match)


def test_hdr_refuses_an_ordinary_picture(tmp_path):
  Image.new("RGB", (4, 4)).save(tmp_path / "a.exr", "PNG")
  refused(read_hdr, tmp_path / "a.exr", "no radiance")


def test_list_images(tmp_path):
  for name in ("b.JPG", "a.png", "c.txt", ".hidden.png", "d.exr"):
    (tmp_path / name).touch()
  (tmp_path / "sub.png").mkdir()
  (tmp_path / "sub.png" / "deep.png").touch()
  assert list_images(tmp_path, LDR_SUFFIXES) == [tmp_path / "a.png", tmp_path / "b.JPG"]
  assert list_images(tmp_path, HDR_SUFFIXES) == [tmp_path / "d.exr"]
  assert list_images(tmp_path / "c.txt", LDR_SUFFIXES) == [tmp_path / "c.txt"]
  with pytest.raises(UserError, match="holds no image"):
    list_images(tmp_path / "sub.png", HDR_SUFFIXES)
  with pytest.raises(UserError, match="no such file"):
    list_images(tmp_path / "none", LDR_SUFFIXES)


def test_the_import_loads_no_codec_and_no_jax():
  code = (
    "import sys, expocm_jax.image_io\n"
    "heavy = {'PIL', 'OpenEXR', 'imagecodecs', 'tifffile', 'jax', 'flax'}\n"
    "print(sorted(heavy & set(sys.modules)))"
  )
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["exr", "tif"])
def test_codecs_do_not_print_beside_the_error(kind, tmp_path, capfd):
  path = tmp_path / f"a.{kind}"
  pixels = np.random.default_rng(0).random((64, 64, 3))
  if kind == "exr":
    from expocm_jax.image_io import write_hdr

    write_hdr(path, pixels)
  else:
    Image.fromarray((pixels * 255).astype(np.uint8)).save(path, compression="jpeg")
  data = bytearray(path.read_bytes())
  data[1000:1100] = b"\x5a" * 100
  path.write_bytes(data[:-400])
  refused(read_hdr if kind == "exr" else read_ldr, path, "damaged")
  print("after")
  out, err = capfd.readouterr()
  assert out == "after\n" and err == ""
