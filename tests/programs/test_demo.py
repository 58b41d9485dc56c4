"""The demo: its photos and its previews."""

import numpy as np

from expocm_jax import image_io
from expocm_jax.programs import demo, reconstruct


def test_photos_clip_and_agree_with_their_truth():
  photos = sorted(demo.EXAMPLES.glob("*.jpg"))
  assert len(photos) == 3
  for photo in photos:
    ldr = image_io.read_ldr(photo)
    truth = image_io.read_hdr(photo.with_suffix(".truth.exr"))
    assert ldr.shape == truth.shape
    clipped = ldr.max(axis=-1) >= 1
    assert 0.01 < clipped.mean() < 0.1
    assert truth[clipped].max(axis=-1).mean() > 1.5
    reliable = (ldr.min(axis=-1) > 0.2) & (ldr.max(axis=-1) < 0.95)
    linear = ((ldr + 0.055) / 1.055) ** 2.4  # the sRGB curve
    assert np.median(np.abs(np.log2(linear[reliable] / truth[reliable]))) < 0.1


def test_previews_show_the_truth(tmp_path, monkeypatch, capsys):
  photo = demo.EXAMPLES / "leadenhall_market.jpg"
  (tmp_path / "photos").mkdir()
  for file in (photo, photo.with_suffix(".truth.exr")):
    (tmp_path / "photos" / file.name).write_bytes(file.read_bytes())
  asked = {}

  def fake(*, output, **options):
    asked.update(options)
    output.mkdir()
    image_io.write_hdr(output / "leadenhall_market.exr", image_io.read_ldr(photo))

  monkeypatch.setattr(demo, "EXAMPLES", tmp_path / "photos")
  monkeypatch.setattr(reconstruct, "main", fake)
  demo.main(output=tmp_path / "out", weights="tiny")
  assert [path.name for path in asked["input"]] == [photo.name]
  preview = image_io.read_ldr(tmp_path / "out" / "leadenhall_market.preview.png")
  panels = np.array_split(preview[18:], 7, axis=1)
  # At -4 EV the market's sky is brighter in the truth than in the photo taken as it is.
  assert panels[6].max() > panels[3].max() + 0.1
  assert str(tmp_path / "out") in capsys.readouterr().out
