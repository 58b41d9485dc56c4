"""Reconstruction: files that go in and out, and what is told of them."""

import pathlib

import jax
import numpy as np
import OpenEXR
import pytest
from PIL import Image

from expocm_jax import image_io
from expocm_jax.checkpoints import weights
from expocm_jax.errors import UserError
from expocm_jax.inference.reconstructor import Reconstructor
from expocm_jax.programs import reconstruct
from tests.support import small_network

pytestmark = pytest.mark.usefixtures("quick_compiles")


@pytest.fixture(scope="module")
def config():
  return small_network.config()


@pytest.fixture(scope="module")
def params(config):
  return small_network.params(config)


@pytest.fixture(scope="module")
def small(config, params):
  return Reconstructor(config, params, max_tile=64)


@pytest.fixture(scope="module")
def ldr():
  return small_network.photo()


@pytest.fixture(scope="module")
def weights_file(config, params, tmp_path_factory):
  path = tmp_path_factory.mktemp("w") / "w.safetensors"
  weights.save_weights(path, params, config)
  return path


def test_program_writes_what_python_returns(weights_file, small, ldr, tmp_path, capsys):
  photo, output = tmp_path / "in" / "a b.png", tmp_path / "new" / "out"
  photo.parent.mkdir()
  stored = np.round(ldr[:60, :60] * 255).astype(np.uint8)
  Image.fromarray(stored).save(photo)
  files = reconstruct.main(
    input=photo,
    output=output,
    weights=weights_file,
    seed=3,
    samples=2,
    formats=("exr", "hdr"),
    exr_dtype="float",
  )
  assert sorted(file.name for file in output.iterdir()) == [
    "a b.exr",
    "a b.hdr",
    "a b.preview.png",
    "a b.std.exr",
  ]
  assert files == [output / "a b.exr", output / "a b.hdr"]
  expected = small.reconstruct(stored, seed=3, samples=2)
  np.testing.assert_allclose(image_io.read_hdr(files[0]), expected.hdr, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(
    image_io.read_hdr(output / "a b.std.exr"), expected.std, rtol=1e-3, atol=1e-4
  )
  assert np.abs(image_io.read_hdr(files[1]) - expected.hdr).max() < 0.01 * expected.hdr.max()
  line = capsys.readouterr().out
  assert "60 x 60" in line and "read as sRGB" in line and "codes of 255 off the photo" in line
  assert "stops" in line and "1.0 = where the photo clips" in line
  assert "a b.hdr, a b.std.exr (spread" in line


def test_a_response_is_undone_first_and_named(weights_file, small, tmp_path, capsys):
  stored = np.round(small_network.photo()[:40, :40] * 255).astype(np.uint8)
  Image.fromarray(stored).save(tmp_path / "a.png")
  (file,) = reconstruct.main(
    input=tmp_path / "a.png",
    output=tmp_path / "out",
    weights=weights_file,
    exr_dtype="float",
    response="gamma:2.2",
  )
  linear = (stored / 255) ** 2.2
  read = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
  expected = small(read.astype(np.float32))
  np.testing.assert_allclose(image_io.read_hdr(file), expected, rtol=1e-3, atol=1e-4)
  assert "response gamma:2.2 undone" in capsys.readouterr().out
  with OpenEXR.File(str(file)) as exr:
    assert exr.header()["comments"].endswith("photo response gamma:2.2 undone")


def test_fidelity_in_words():
  rng = np.random.default_rng(0)
  ldr = rng.uniform(0.3, 0.9, (30, 21, 3)).astype(np.float32)
  linear = ((ldr + 0.055) / 1.055) ** 2.4
  assert "pixels 0.0 codes of 255 off the photo (0.0 at most" in reconstruct.fidelity_text(
    linear, ldr
  )
  shown = ((ldr + 3 / 255 + 0.055) / 1.055) ** 2.4
  assert "pixels 3.0 codes of 255 off the photo (3.0 at" in reconstruct.fidelity_text(shown, ldr)
  assert reconstruct.fidelity_text(linear, np.ones_like(ldr)) == "no pixel well exposed"


def test_one_bad_file_does_not_stop_the_rest(weights_file, small, tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(Reconstructor, "from_pretrained", lambda path: small)
  folder, output = tmp_path / "in", tmp_path / "out"
  folder.mkdir()
  for name in ("x.png", "X.jpg", "last.webp", "old.preview.png"):
    Image.new("RGB", (9, 5), (200, 100, 50)).save(folder / name)
  (folder / "broken.png").write_text("no image")
  (folder / "phone.heic").write_text("not read")
  (folder / "more").mkdir()
  with pytest.raises(UserError, match=r"1 of 4 inputs failed: .*broken\.png"):
    reconstruct.main(input=folder, output=output, weights=weights_file)
  written = sorted(file.name for file in output.glob("*.exr"))
  assert written == ["X_jpg.exr", "last.exr", "x_png.exr"]
  error = capsys.readouterr().err
  assert "broken.png" in error and "2 more in it, not read (more/, phone.heic)" in error
  with pytest.raises(UserError, match=r"broken\.png") as caught:
    reconstruct.main(input=folder / "broken.png", output=output, weights=weights_file)
  assert "failed" not in str(caught.value)


def test_a_missing_input_does_not_stop_the_rest(weights_file, small, tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(Reconstructor, "from_pretrained", lambda path: small)
  photo, missing, empty = tmp_path / "a.png", tmp_path / "missing.png", tmp_path / "empty"
  Image.new("RGB", (9, 5), (200, 100, 50)).save(photo)
  empty.mkdir()
  options = {"output": tmp_path / "out", "weights": weights_file}
  with pytest.raises(UserError, match=r"2 of 3 inputs failed: .*missing\.png, .*empty;"):
    reconstruct.main(input=[missing, photo, empty], **options)
  assert (tmp_path / "out" / "a.exr").exists()
  error = capsys.readouterr().err
  assert "missing.png: no such file" in error and "empty: the folder holds no image" in error
  with pytest.raises(UserError, match=r"none of .*missing\.png, .*empty"):
    reconstruct.main(input=[missing, empty], **options)


@pytest.mark.parametrize(
  "error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nmore")]
)
def test_a_photo_too_large_for_the_memory_is_named(error, weights_file, tmp_path, monkeypatch):
  def fail(*args, **options):
    raise error

  monkeypatch.setattr(Reconstructor, "reconstruct", fail)
  Image.new("RGB", (9, 5)).save(tmp_path / "a.png")
  with pytest.raises(UserError, match=r"a\.png: not enough memory .*; use a smaller") as caught:
    reconstruct.main(input=tmp_path / "a.png", output=tmp_path / "out", weights=weights_file)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  "change, problem",
  [
    ({"input": "missing.jpg"}, "missing.jpg"),
    ({"output": "photo.png"}, "names a file"),
    ({"output": "out.exr"}, "names a file"),
    ({"output": "photo.png/below"}, "cannot be written"),
    ({"formats": ("jpg",)}, "jpg"),
    ({"input": ""}, "--input: empty"),
    ({"formats": ()}, "exr and/or hdr"),
    ({"weights": "missing"}, "missing"),
    ({"response": "missing.csv"}, "--response=missing.csv: cannot be read"),
    ({"response": ""}, "--response=: cannot be read"),
  ],
)
def test_what_cannot_be_done(weights_file, tmp_path, monkeypatch, change, problem):
  monkeypatch.chdir(tmp_path)
  Image.new("RGB", (9, 5)).save("photo.png")
  options = {"input": "photo.png", "output": "out", "weights": weights_file} | change
  with pytest.raises(UserError, match=problem) as caught:
    reconstruct.main(**options)
  assert "\n" not in str(caught.value)
  assert not list(tmp_path.rglob("*.exr"))


@pytest.mark.parametrize("change", [{"exr_dtype": "int"}, {"steps": 0}])
def test_what_only_python_can_pass(weights_file, tmp_path, change):
  photo = tmp_path / "photo.png"
  Image.new("RGB", (9, 5)).save(photo)
  with pytest.raises(ValueError, match=next(iter(change))):
    reconstruct.main(input=photo, output=tmp_path / "out", weights=weights_file, **change)
  assert not list((tmp_path / "out").iterdir())


def test_names_never_collide():
  photos = [
    pathlib.Path(name) for name in ("a.png", "b/a.png", "A.jpg", "a_png.tif", "c.x.jpg", "c.x.png")
  ]
  names = reconstruct._output_names(photos)
  assert list(names) == photos
  assert len({name.casefold() for name in names.values()}) == len(photos)
  assert names[photos[3]] == "a_png"


def test_dynamic_range():
  ramp = np.exp2(np.linspace(-6, 4, 400, dtype=np.float32))
  image = np.broadcast_to(ramp[:, None, None], (400, 400, 3))
  assert reconstruct.dynamic_range(image) == pytest.approx(10, abs=0.05)
  flat = np.zeros((3, 1, 3), np.float32)
  assert reconstruct.dynamic_range(flat) == 0
