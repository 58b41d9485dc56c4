"""The page of an evaluation in a real Chromium."""

import re

import numpy as np
import pytest

from expocm_jax import image_io
from tests.support import chromium, report_record


@pytest.fixture(scope="module")
def written(tmp_path_factory):
  """(folder, record, summary)."""
  return report_record.write(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def tab(written, tmp_path_factory):
  if not chromium.find():
    pytest.skip("no Chromium here: install it (apt-get install chromium) or set CHROMIUM")
  try:
    tab = chromium.Page((written[0] / "report.html").as_uri(), tmp_path_factory.mktemp("profile"))
  except chromium.Unusable as error:
    pytest.skip(f"the Chromium here does not work: {error}")
  yield tab
  tab.close()


def canvas(tab, image, panel):
  """The colours of a canvas, [h, w, 3]."""
  data = tab.evaluate(f"""(() => {{
    const c = document.querySelector('#image-{image} [data-panel="{panel}"]');
    const p = c.getContext('2d').getImageData(0, 0, c.width, c.height);
    return [p.height, p.width, ...p.data];
  }})()""")
  return np.array(data[2:]).reshape(data[0], data[1], 4)[..., :3]


def shown(tab, image, ev):
  """Waits until the card of the image shows that exposure."""
  tab.evaluate(f"document.getElementById('image-{image}').scrollIntoView()")
  tab.wait_for(f"document.getElementById('image-{image}').dataset.ev === '{ev}'")


def set_exposure(tab, ev):
  tab.evaluate(f"""(() => {{
    const slider = document.getElementById('ev');
    slider.value = {ev};
    slider.dispatchEvent(new Event('input', {{bubbles: true}}));
  }})()""")


def test_the_slider_exposes_the_true_radiance(written, tab):
  folder, record, _ = written
  for ev in (0, -3.25, 2):
    set_exposure(tab, ev)
    shown(tab, 2, ev)
    for panel in ("output", "reference"):
      true = image_io.read_hdr(folder / record["images"][2]["files"][panel]).astype(float)
      # What the codes round, and half a step of the display.
      low, high = (
        255 * report_record.encoded(true * (1 + sign / 256) * 2.0**ev) for sign in (-1, 1)
      )
      colors = canvas(tab, 2, panel)
      assert (colors >= low - 0.6).all() and (colors <= high + 0.6).all()
      assert colors.min() < 60 and colors.max() > 190
  # The slider moves by keys too, a quarter of a stop at a time.
  tab.evaluate("document.getElementById('ev').focus()")
  tab.press("ArrowRight")
  shown(tab, 2, 2.25)
  assert tab.evaluate("document.getElementById('ev-value').textContent") == "+2.25 EV"
  set_exposure(tab, 0)
  shown(tab, 2, 0)
  ldr = np.rint(255 * image_io.read_ldr(folder / record["images"][2]["files"]["ldr"]))
  np.testing.assert_array_equal(canvas(tab, 2, "input"), ldr)


def test_the_error_map(written, tab):
  folder, record, _ = written
  set_exposure(tab, 0)
  shown(tab, 0, 0)
  assert canvas(tab, 0, "error").max() == 0
  caption = "document.querySelector('#image-{} [data-panel=error]').nextSibling.textContent"
  assert "mean .0000" in tab.evaluate(caption.format(0))
  shown(tab, 2, 0)
  assert canvas(tab, 2, "error").max() > 50
  images = (image_io.read_hdr(folder / record["images"][2]["files"][n]).astype(float) / 16
            for n in ("output", "reference"))  # fmt: skip
  output, reference = (np.log1p(500 * np.minimum(x, 1)) / np.log1p(500) for x in images)
  mean = re.search(r"mean (\.\d{4})", tab.evaluate(caption.format(2)))[1]
  assert float(mean) == pytest.approx(np.abs(output - reference).mean(), abs=1e-4)
  masks = image_io.read_ldr(folder / record["images"][2]["files"]["masks"])
  painted = canvas(tab, 2, "masks")
  assert (painted.argmax(axis=-1) == masks.argmax(axis=-1)).all()


def test_published_rows_bring_a_column_that_is_theirs_alone(tab):
  def cells(query):
    return tab.evaluate(f"[...document.querySelectorAll('{query}')].map((c) => c.textContent)")

  headings = ["PSNR-µ ↑", "VDP-2 ↑", "LPIPS ↓", "ΔE2000 ↓"]
  assert cells("#summary thead th") == ["method", *headings]
  assert cells("#summary .published:last-child td") == ["20.75", "44.09", ".2353", "9.68"]
  assert cells("#summary tr:first-child td:nth-child(3)") == ["–"]
  assert cells(".published-head")[0].startswith("HDR-EYE, published")
  assert cells("#paired thead th") == ["method", headings[0], *headings[2:]]


def choose(tab, name, choice):
  tab.evaluate(f"""(() => {{
    const select = document.getElementById('{name}');
    select.value = '{choice}';
    select.dispatchEvent(new Event('change', {{bubbles: true}}));
  }})()""")


def order(tab):
  rows = "[...document.querySelectorAll('#scores tbody tr')].map((r) => Number(r.dataset.image))"
  cards = "[...document.querySelectorAll('article')].map((a) => Number(a.dataset.image))"
  assert tab.evaluate(cards) == tab.evaluate(rows)
  return tab.evaluate(rows)


def test_sorting_reorders_the_rows_and_the_pictures(written, tab):
  record = written[1]
  value = lambda i, m, key: record["images"][i]["scores"][m]["headroom"][key]
  press = "document.querySelector('#scores [data-sort=\"{}\"]').click()"
  assert order(tab) == [0, 1, 2, 3, 4]
  tab.evaluate(press.format("delta_e_2000"))
  by_delta = sorted(range(5), key=lambda i: value(i, "tiny", "delta_e_2000/all"))
  assert order(tab) == by_delta
  tab.evaluate(press.format("delta_e_2000"))
  assert order(tab) == by_delta[::-1]
  tab.evaluate(press.format("psnr_mu-difference"))
  gain = [min(value(i, "tiny", "psnr_mu/all"), 100) - value(i, "linear", "psnr_mu/all")
          for i in range(5)]  # fmt: skip
  assert order(tab) == sorted(range(5), key=lambda i: -gain[i])
  # By key, another method, and another region, where one score is missing: it comes last.
  for name, choice in (("region", "clipped"), ("method", "tiny"), ("sort", "psnr_mu")):
    choose(tab, name, choice)
  assert order(tab)[-1] == 3
  tab.evaluate("document.querySelector('#scores [data-sort=\"\"]').focus()")
  tab.press("Enter")
  tab.press("Enter")
  assert sorted(order(tab)) == [0, 1, 2, 3, 4] and order(tab)[0] in (0, 4)


def test_a_camera_has_its_own_rows_and_a_target_its_own_ranking(tab):
  def cell(table, method, part=""):
    rows = f"document.querySelector('#{table} tr[data-method={method}]')"
    return tab.evaluate(f"{rows}.querySelectorAll('td')[1]{part}")

  choose(tab, "region", "clipped")
  headings = "[...document.querySelectorAll('#summary thead th')].map((c) => c.textContent)"
  assert tab.evaluate(headings) == ["method", "PSNR-µ ↑", "light → 0"]
  assert cell("summary", "tiny", ".textContent").startswith("−0.24[−")
  assert cell("summary", "tiny", ".textContent").endswith("] off by 0.40")
  assert cell("summary", "tiny", ".className") == "best"  # −0.24 beside −0.50
  assert cell("paired", "tiny", ".textContent").endswith("80 %")
  tones = "[...document.querySelectorAll('#scores tbody tr')].map((r) => r.cells[4].className)"
  choose(tab, "sort", "")
  assert tab.evaluate(tones) == ["worse", "better", "better", "better", "better"]
  choose(tab, "camera", "filmic")
  assert order(tab) == [5]
  assert cell("summary", "linear", ".className") == "best"  # −0.50 beside 2.00
  choose(tab, "camera", "srgb")
  choose(tab, "region", "all")
  assert sorted(order(tab)) == [0, 1, 2, 3, 4]


def test_the_page_stays_free_of_errors_and_of_the_network(written, tab):
  assert tab.problems == []
  # The page itself, and the pictures out of it.
  assert all(url.startswith(("file:", "blob:", "data:")) for url in tab.requests)
  assert len([url for url in tab.requests if url.startswith("file:")]) == 1
  tab.resize(390, 800)
  assert tab.evaluate("document.documentElement.scrollWidth") <= 390
  tab.resize(1400, 900)
