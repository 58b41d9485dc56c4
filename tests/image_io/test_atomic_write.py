"""Files appear complete or not at all."""

import errno
import os

import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.image_io import atomic_path, output_folder, write_hdr, write_png


def test_the_target_appears_only_when_the_block_ends(tmp_path):
  target = tmp_path / "a.exr"
  with atomic_path(target) as temp:
    assert temp.parent == tmp_path and temp.suffix == ".exr"
    temp.write_text("new")
    assert not target.exists()
  assert target.read_text() == "new"
  assert os.listdir(tmp_path) == ["a.exr"]


def test_a_failing_block_leaves_the_old_file_and_no_temporary(tmp_path):
  target = tmp_path / "a.txt"
  target.write_text("old")
  with pytest.raises(KeyError), atomic_path(target) as temp:
    temp.write_text("half")
    raise KeyError
  assert target.read_text() == "old"
  assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
  "code, word",
  [
    (errno.ENOSPC, "no space"),
    (errno.EDQUOT, "quota"),
    (errno.EACCES, "permission"),
    (errno.EROFS, "read-only"),
    (errno.EIO, "cannot be written"),
  ],
)
def test_refusals_of_the_system_become_one_line(tmp_path, code, word):
  target = tmp_path / "a.bin"
  with pytest.raises(UserError, match=word) as error, atomic_path(target) as temp:
    temp.write_bytes(b"half")
    raise OSError(code, os.strerror(code))
  assert str(error.value).startswith(f"{target}: ") and "\n" not in str(error.value)
  assert os.listdir(tmp_path) == []


NOISE = np.random.default_rng(0).random((64, 64, 3), np.float32)
WRITERS = {
  "a.exr": lambda path: write_hdr(path, NOISE),
  "a.hdr": lambda path: write_hdr(path, NOISE),
  "a.png": lambda path: write_png(path, NOISE),
}


@pytest.mark.parametrize("name", WRITERS)
def test_writers_refuse_a_missing_folder_and_a_folder_in_the_way(tmp_path, name):
  with pytest.raises(UserError, match="does not exist; create"):
    WRITERS[name](tmp_path / "missing" / name)
  (tmp_path / name).mkdir()
  with pytest.raises(UserError, match="is a folder"):
    WRITERS[name](tmp_path / name)
  (tmp_path / "file").touch()
  with pytest.raises(UserError, match="part of the path is a file"):
    WRITERS[name](tmp_path / "file" / name)
  assert sorted(os.listdir(tmp_path)) == sorted([name, "file"])


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_keeps_the_old_file(tmp_path, name):
  resource = pytest.importorskip("resource")
  signal = pytest.importorskip("signal")
  (tmp_path / name).write_text("old")
  # A limit on the size of files is the full disk that any user can have.
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  try:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    with pytest.raises(UserError) as error:
      WRITERS[name](tmp_path / name)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)
  assert str(error.value).startswith(f"{tmp_path / name}: ")
  assert (tmp_path / name).read_text() == "old"
  assert os.listdir(tmp_path) == [name]


def test_devices_are_not_replaced():
  with pytest.raises(UserError, match="device"), atomic_path("/dev/null"):
    pass


def test_links_are_followed_and_long_names_fit(tmp_path):
  (tmp_path / "link").symlink_to(tmp_path / "target")
  with atomic_path(tmp_path / "link") as temp:
    temp.write_text("x")
  assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "x"
  longest = "n" * 251 + ".txt"
  with atomic_path(tmp_path / longest) as temp:
    temp.write_text("x")
  assert (tmp_path / longest).exists()
  with pytest.raises(UserError, match="too long"), atomic_path(tmp_path / ("n" + longest)) as temp:
    temp.write_text("x")


def test_an_output_folder_is_made_and_may_not_be_a_file(tmp_path):
  folder = output_folder(tmp_path / "a" / "b")
  assert folder == tmp_path / "a" / "b" and os.listdir(folder) == []
  (tmp_path / "file").touch()
  for name, match in (
    ("file", "names a file; give a folder"),
    ("out.EXR", "names a file; give a folder"),
    ("file/below", "cannot be written .*; choose another folder"),
  ):
    with pytest.raises(UserError, match=match):
      output_folder(tmp_path / name)
