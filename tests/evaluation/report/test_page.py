import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from expocm_jax import image_io
from expocm_jax.errors import UserError
from expocm_jax.evaluation import report
from expocm_jax.evaluation.report import page, tables
from tests.support import report_record


@pytest.fixture(scope="module")
def written(tmp_path_factory):
  """(folder, record, summary)."""
  return report_record.write(tmp_path_factory.mktemp("report"))


def text_of(written):
  return (written[0] / "report.html").read_text(encoding="utf-8")


def embedded(text, name):
  match = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)
  return json.loads(match[1])


def pixels(base64_text):
  return np.asarray(Image.open(io.BytesIO(base64.b64decode(base64_text))))


def decoded(packed):
  """Radiance of [low bytes, high bytes] in float64, by the definition."""
  low, high = (pixels(part).astype(float) for part in packed)
  return 2.0 ** ((low + 256 * high) / 96 - 20) - 2.0**-20


def test_all_files_are_written_and_the_json_is_strict(written):
  folder, record, summary = written
  assert {path.name for path in folder.iterdir()} == {*report.FILES, "images"}
  data = json.loads((folder / "scores.json").read_text(), parse_constant=pytest.fail)
  assert data["summary"] == report.finite(summary)
  scores = [image["scores"]["tiny"]["headroom"] for image in data["images"]]
  assert scores[0]["psnr_mu/all"] == 100.0  # infinite: null means "no such region"
  assert scores[3]["psnr_mu/clipped"] is None and scores[4]["psnr_mu/all"] < 100
  assert record["images"][0]["scores"]["tiny"]["headroom"]["psnr_mu/all"] == np.inf
  kept = ("command", "versions", "protocols", "methods", "peak_nits", "seed", "created", "main")
  assert all(data[name] == record[name] for name in kept)
  markdown = (folder / "scores.md").read_text(encoding="utf-8")
  assert "f" * 64 in markdown and record["command"] in markdown
  assert all(text in markdown for text in record["protocols"].values())
  assert "- camera `srgb`: what srgb is, display reading\n" in markdown
  assert (folder / "scores.tex").read_text().count(r"\begin{tabular}") == 7


def test_the_page_fetches_nothing(written):
  text = text_of(written)
  assert not re.search(r"https?:|url\(|@import|\bfetch\(|XMLHttpRequest|\bimport\b", text)
  sources = re.findall(r"""<[^>]*?\b(?:src|href|srcset|action)\s*=\s*["']?([^"'> ]*)""", text)
  assert all(source.startswith(("data:", "#")) for source in sources)
  assert "default-src 'none'" in text and "{{" not in text


def test_what_users_name_cannot_break_the_page(written):
  text = text_of(written)
  assert text.count("</script>") == 2 + 6
  assert "<title>Test of &lt;tiny&gt; &amp; co</title>" in text
  data = embedded(text, "report")
  assert data["images"][1]["name"] == written[1]["images"][1]["name"]
  assert [image["camera"] for image in data["images"]] == ["srgb"] * 5 + ["filmic"]
  assert ["filmic: what filmic is, display reading"] == dict(data["about"])["Cameras"][1:]
  assert data["published"]["ExpoCM"]["psnr_mu"] == 20.75
  assert data["mu"] == 500 and "µ = 500)" in data["picturesNote"]


def test_embedded_radiance_is_within_a_256th_of_every_channel(written):
  folder, record, _ = written
  packed = embedded(text_of(written), "picture-2")
  files = record["images"][2]["files"]
  for name in ("output", "reference"):
    true = image_io.read_hdr(folder / files[name]).astype(float)
    error = np.abs(decoded(packed[name]) - true)
    assert true.max() > 8 and (error <= true / 256).all()
  codes = np.rint(image_io.read_ldr(folder / files["ldr"]) * 255)
  np.testing.assert_array_equal(pixels(packed["ldr"]), codes)
  masks = np.rint(image_io.read_ldr(folder / files["masks"]) * 255)
  np.testing.assert_array_equal(pixels(packed["masks"]), masks)


def test_images_that_are_left_out_and_labels_that_equal_the_name(tmp_path):
  record = report_record.make([{"linear": {"psnr_mu/all": 20.0}}] * 3)
  record["left_out"] = ["a.exr: cut short", "b.exr: </script>"]
  record["methods"]["linear"]["label"] = "linear"
  summary = report.write(tmp_path, record)
  assert tables.BOLD_NOTE not in summary["notes"]  # one method: nothing is bold
  data = embedded((tmp_path / "report.html").read_text(encoding="utf-8"), "report")
  assert "3 of 5 images" in data["extent"] and data["notes"] == summary["notes"]
  assert dict(data["about"])["Methods"] == ["linear"]
  markdown = (tmp_path / "scores.md").read_text(encoding="utf-8")
  assert "- `linear`\n" in markdown and f"- {summary['notes'][0]}\n" in markdown
  assert "3 of 5 images" in (tmp_path / "scores.tex").read_text()
  assert json.loads((tmp_path / "scores.json").read_text())["left_out"] == record["left_out"]
  record["methods"]["linear"] |= {"parameters": 1234, "sha256": "ab"}
  assert tables.method_lines(record, mark="`") == ["`linear`: 1,234 parameters; sha256 ab"]


def test_codes_of_the_darkest_and_the_brightest():
  true = np.array([0.0, 1e-9, 3e-7, 1e-5, 1.0, 16.0, 65504.0, 3e38], np.float32)
  codes = page.log_codes(true)
  assert codes[0] == 0 and codes.max() < 1 << 14
  back = 2.0 ** (codes / 96 - 20) - 2.0**-20
  assert (np.abs(back - true) <= np.float64(true) / 256 + 4e-9).all()
  assert (np.diff(codes[2:]) > 0).all()


def test_large_images_are_averaged_in_linear_light(tmp_path):
  record = report_record.make([{"linear": {"psnr_mu/all": 20.0}}])
  report_record.add_files(record, tmp_path, shape=(8, 1024))
  packed = page.pack(tmp_path, record["images"][0]["files"])
  assert packed["size"] == [4, 512]
  true = image_io.read_hdr(tmp_path / "images/image_0.reference.exr").astype(float)
  mean = true.reshape(4, 2, 512, 2, 3).mean(axis=(1, 3))
  np.testing.assert_allclose(decoded(packed["reference"]), mean, rtol=1 / 256)
  codes = image_io.read_ldr(tmp_path / "images/image_0.ldr.png").astype(float)
  linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
  linear = linear.reshape(4, 2, 512, 2, 3).mean(axis=(1, 3))
  assert np.abs(pixels(packed["ldr"]) - 255 * report_record.encoded(linear)).max() < 0.51


def test_images_without_files_and_a_missing_file(tmp_path):
  record = report_record.make(report_record.random_scores(3))
  report.write(tmp_path, record)
  text = (tmp_path / "report.html").read_text(encoding="utf-8")
  assert 'id="picture-' not in text
  assert "No images" in embedded(text, "report")["picturesNote"]
  assert tables.BOLD_NOTE in embedded(text, "report")["notes"]
  record["images"][1]["files"] = dict.fromkeys(("ldr", "masks", "output", "reference"), "no.png")
  before = (tmp_path / "report.html").read_bytes()
  with pytest.raises(UserError, match="no.png: no such file"):
    report.write(tmp_path, record)
  assert (tmp_path / "report.html").read_bytes() == before
