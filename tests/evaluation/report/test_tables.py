from expocm_jax.evaluation import report
from expocm_jax.evaluation.report import render, statistics, tables
from tests.support import report_record
from tests.support.report_record import full, simple


def built(record):
  summary = statistics.summarize(record)
  return {table.name: table for table in tables.build(record, summary)}, summary


def test_all_methods_under_all_protocols_stand_in_one_table_in_the_papers_order():
  table = built(full())[0]["all"]
  assert [row.labels for row in table.rows] == [
    (protocol, method)
    for protocol in report_record.PROTOCOLS
    for method in ("linear", "akyuz", "tiny:ddim-50")
  ]
  assert [column.heading for column in table.columns] == [
    "PSNR-µ ↑", "SSIM-µ ↑", "VDP-3 ↑", "LPIPS ↓", "ΔE2000 ↓",
    "PU-PSNR ↑", "PU-SSIM ↑", "LPIPS-V ↓", "CVVDP ↑",
  ]  # fmt: skip
  assert all(cell.extra.count("–") == 1 for row in table.rows for cell in row.cells)


def test_cells_and_the_best_of_each_protocol():
  table = built(simple(linear=(20.004, 3.0), tiny=(25.456, 3.004), other=(24.0, 2.0)))[0]["all"]
  cells = [row.cells for row in table.rows[:3]]
  assert [cell[0].main for cell in cells] == ["20.00", "25.46", "24.00"]
  assert cells[0][0].extra == "20.0–20.0"
  assert [cell[0].best for cell in cells] == [False, True, False]
  assert [cell[1].best for cell in cells] == [False, False, True]
  text = render.markdown(table)
  assert "| headroom       | linear | 20.00 20.0–20.0     | 3.00 3.0–3.0     |" in text
  assert "|                | tiny   | **25.46** 25.5–25.5 |" in text
  even = built(simple(linear=(20.0, 3.0), tiny=(20.001, 3.0)))[0]["all"]
  assert not any(cell.best for row in even.rows for cell in row.cells)


def test_regions_of_the_headroom_protocol_with_pooled_decibels():
  record = full(protocols=("ntire21", "headroom"))
  table = built(record)[0]["regions"]
  assert "headroom" in table.caption
  labels = list(dict.fromkeys(row.labels[0] for row in table.rows))
  assert labels == [
    "all (100%, 6 images)", "clipped (20%, 4 images)",
    "dark (10%, 6 images)", "well exposed (70%, 6 images)",
  ]  # fmt: skip
  headings = [column.heading for column in table.columns]
  assert headings.count("pooled ↑") == 2 and "LPIPS ↓" not in headings


def test_files_have_the_regions_under_gain_too_and_the_console_has_not():
  record = full(protocols=("headroom+gain", "headroom", "headroom+crf"))
  found, summary = built(record)
  assert list(found) == [
    "all", "regions", "regions_gain", "light",
    "paired", "paired_regions", "paired_regions_gain", "paired_light",
  ]  # fmt: skip
  for name in ("regions", "paired_regions"):
    assert "protocol headroom" in found[name].caption
    assert "protocol headroom+gain" in found[f"{name}_gain"].caption
  text = report.console(record, summary, width=160)
  assert "protocol headroom" in text and "protocol headroom+gain" not in text
  assert text.endswith(statistics.AKYUZ_NOTE)
  alone = built(full(protocols=("headroom+gain", "ntire21")))[0]
  assert "protocol headroom+gain" in alone["regions"].caption and "regions_gain" not in alone


def test_light_and_fidelity_have_a_table_of_their_own():
  keys = ("light/clipped", "peak/all", "texture/clipped", "fidelity/well_exposed")
  values = {"linear": (-0.9, 0.5, 0.4, 0.02), "dark": (-0.2, 0.1, 0.8, 0.5),
            "light": (0.2, -0.4, 1.1, 0.03)}  # fmt: skip
  scores = {name: dict(zip(keys, row, strict=True)) for name, row in values.items()}
  record = report_record.make([scores] * 3, protocols=("mu-refmax", "headroom"))
  found, _ = built(record)
  assert list(found) == ["light", "paired_light"]
  table = found["light"]
  assert "protocol headroom (" in table.caption and "radiance up to 16" in table.caption
  assert table.label_headings == ("method",)
  assert [column.heading for column in table.columns] == [
    "light → 0", "off by ↓", "peak → 0", "off by ↓", "texture → 1", "off by ↓", "fidelity ↓",
  ]  # fmt: skip
  assert [column.latex for column in table.columns][:2] == [
    r"light $\to 0$",
    r"off by $\downarrow$",
  ]
  rows = {row.labels[0]: row.cells for row in table.rows}
  assert [cell.main for cell in rows["dark"]] == [
    "−0.20", "0.20", "0.10", "0.10", "0.80", "0.20", "0.50",
  ]  # fmt: skip
  best = {name: [cell.best for cell in cells] for name, cells in rows.items()}
  # Both are 0.2 stops from no bias; 1.1 is nearer to 1 than 0.8.
  assert best["dark"] == [True, True, True, True, False, False, False]
  assert best["light"] == [True, True, False, False, True, True, False]
  assert best["linear"] == [False] * 6 + [True]
  dark = next(row.cells for row in found["paired_light"].rows if row.labels == ("dark",))
  assert [(cell.main, cell.extra.split()[-1]) for cell in dark] == [
    ("+0.70", "100%"), ("−0.40", "100%"), ("+0.40", "100%"), ("+0.48", "0%"),
  ]  # fmt: skip
  wide = report_record.make([{"linear": {"light/clipped": x}} for x in (-1.0, 0.5, -0.1)])
  (cell, off) = built(wide)[0]["light"].rows[0].cells
  assert (cell.main, off.main) == ("−0.20", "0.53") and cell.extra.startswith("[−1.00, ")


def test_cameras_are_rows_of_one_table_and_ranked_apart():
  scores = [
    {m: {"psnr_mu/all": p, "psnr_mu/clipped": p, "light/clipped": p} for m, p in methods.items()}
    for methods in ({"linear": 20.0, "tiny": 23.0}, {"linear": 32.0, "tiny": 31.0})
  ]
  record = report_record.make(scores * 2, cameras=["srgb", "filmic"] * 2, scenes=list("aabb"))
  found, summary = built(record)
  table = found["all"]
  assert table.label_headings == ("camera", "protocol", "method")
  assert "4 images of 12 × 16 pixels from 2 groups of scenes by 2 cameras" in table.caption
  assert [row.labels for row in table.rows] == [
    (camera, protocol, method)
    for camera in ("srgb", "filmic")
    for protocol in report_record.PROTOCOLS
    for method in ("linear", "tiny")
  ]
  means = [row.cells[0].main for row in table.rows]
  assert means == ["20.00", "23.00"] * 2 + ["32.00", "31.00"] * 2
  assert [row.cells[0].best for row in table.rows] == [False, True] * 2 + [True, False] * 2
  assert [row.labels for row in found["light"].rows] == [
    ("srgb", "linear"), ("srgb", "tiny"), ("filmic", "linear"), ("filmic", "tiny"),
  ]  # fmt: skip
  lines = render.markdown(table).splitlines()[4:]
  columns = [[text.strip() for text in line.split("|")[1:4]] for line in lines]
  assert columns[:3] == [
    ["srgb", "headroom", "linear"], ["", "", "tiny"], ["", "mu-refmax+gain", "linear"],
  ]  # fmt: skip
  assert columns[4] == ["filmic", "headroom", "linear"]
  assert render.latex([table]).count(r"\addlinespace") == 3
  paired = found["paired"].rows
  assert [row.labels[0] for row in paired] == ["srgb"] * 2 + ["filmic"] * 2
  assert [row.cells[0].extra for row in paired[::2]] == ["[+3.00, +3.00] 100%", "[−1.00, −1.00] 0%"]
  assert [row.labels[:2] for row in found["regions"].rows[:3:2]] == [
    ("srgb", "all (100%, 2 images)"), ("srgb", "clipped (20%, 1 images)"),
  ]  # fmt: skip


def test_a_region_that_no_image_has():
  scores = {m: {"psnr_mu/all": 20.0, "psnr_mu/dark": None} for m in ("linear", "tiny")}
  found, _ = built(report_record.make([scores] * 3))
  dark = [row for row in found["regions"].rows if row.labels[0].startswith("dark")]
  assert all(cell is None for row in dark for cell in row.cells)
  assert "| –" in render.markdown(found["regions"])


def test_paired_differences_say_how_many_images_are_better():
  table = built(simple(linear=(20.0, 3.0), tiny=(22.5, 4.0)))[0]["paired"]
  assert [row.labels[1] for row in table.rows] == ["tiny", "tiny"]
  psnr, delta_e = table.rows[0].cells
  assert (psnr.main, psnr.extra) == ("+2.50", "[+2.50, +2.50] 100%")
  assert (delta_e.main, delta_e.extra) == ("+1.00", "[+1.00, +1.00] 0%")
  assert "paired" not in built(simple(tiny=(20.0, 3.0)))[0]
  table, summary = built(simple(linear=(20.0, 3.0), tiny=(20.0, 3.0)))
  assert table["paired"].rows[0].cells[0].extra == "[0.00, 0.00] –"
  assert statistics.TIES_NOTE in summary["notes"]


def test_published_numbers_stand_only_beside_the_same_set_and_are_never_ranked():
  record = full(published_set="HDR-REAL")
  found, _ = built(record)
  table = found["published"]
  assert "published" in table.caption and "not ranked" in table.caption
  headings = [column.heading for column in found["all"].columns]
  assert [column.heading for column in table.columns] == [
    *headings[:2], "VDP-2 ↑", *headings[2:5],
  ]  # fmt: skip
  rows = {row.labels[0]: row.cells for row in table.rows}
  assert [cell.main for cell in rows["ExpoCM"]] == [
    "28.66", ".8684", "44.27", "7.72", ".1919", "4.02",
  ]  # fmt: skip
  assert rows["HDRDiff"][1] is None and len(rows) == 9
  assert not any(cell.best for cells in rows.values() for cell in cells if cell)
  without = built(full())[0]
  assert "published" not in without  # though its data are called HDR-REAL
  assert found["all"].rows == without["all"].rows
  assert len(built(full(published_set="AIM 2025"))[0]["published"].rows) == 6
  # Only the metrics that we have too, and the one that nobody here can have.
  few = built(simple(linear=(20.0, 3.0)) | {"published_set": "HDR-EYE"})[0]["published"]
  assert [column.heading for column in few.columns] == ["PSNR-µ ↑", "VDP-2 ↑", "ΔE2000 ↓"]


def test_the_extent_counts_groups_of_scenes_where_they_are_fewer_than_the_images():
  caption = lambda **options: built(full(**options))[0]["all"].caption
  assert caption().endswith("HDR-REAL: 6 images of 12 × 16 pixels (mean, 95% bootstrap interval)")
  assert "pixels from 2 groups of scenes (" in caption(scenes=["a"] * 5 + ["b"])
  assert "pixels from 1 group of scenes (" in caption(scenes=["a"] * 6)


def test_every_caption_tells_of_images_that_are_left_out():
  record = full(protocols=("headroom", "headroom+gain"), published_set="HDR-REAL")
  record["left_out"] = [f"{i}.exr: cut short;\n mend it" for i in range(2)]
  found, summary = built(record)
  assert len(found) == 9 and all("6 of 8 images" in table.caption for table in found.values())
  assert report.console(record, summary, width=160).count("6 of 8 images") >= 4
  assert summary["notes"][0] == (
    "2 images could not be scored and are left out: 0.exr: cut short; mend it | "
    "1.exr: cut short; mend it"
  )
  record["left_out"] = [f"{i}.exr: cut short" for i in range(7)]
  note = statistics.summarize(record)["notes"][0]
  assert note.endswith("4.exr: cut short | and 2 more") and note.count("exr") == 5
  record["left_out"] = ["a.exr: cut short"]
  note = statistics.summarize(record)["notes"][0]
  assert note == "1 image could not be scored and is left out: a.exr: cut short"
