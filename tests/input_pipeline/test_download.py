"""The download of public scenes, against a server on this machine that answers as theirs do."""

import collections
import csv
import errno
import hashlib
import json
import pathlib
import re
import time
import types

import numpy as np
import pytest

from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline import download, fetching
from input_pipeline.datasets import hdr_folder
from tests.support.scene_server import serve

QUICK = fetching.Client(timeout=0.5, attempts=3, pause=0.01)
COMMIT = "0" * 40


@pytest.fixture
def world(tmp_path, monkeypatch):
  """A server with three scenes, and what `download` needs to know of it."""
  monkeypatch.setenv("no_proxy", "127.0.0.1")
  server, address = serve()
  rng, scenes = np.random.default_rng(0), []
  for name, split in (("hall", "train"), ("quay", "test")):
    image_io.write_hdr(tmp_path / "x.hdr", rng.uniform(0, 4, (4, 8, 3)).astype(np.float32))
    data = (tmp_path / "x.hdr").read_bytes()
    server.files[f"/dl/{name}_1k.hdr"] = data
    entry = {"url": f"{address}/dl/{name}_1k.hdr", "size": len(data)}
    entry["md5"] = hashlib.md5(data).hexdigest()
    server.files[f"/files/{name}"] = json.dumps({"hdri": {"1k": {"hdr": entry}}}).encode()
    scenes.append({"file": f"{name}.hdr", "split": split, "origin": f"polyhaven:{name}"})
  image_io.write_hdr(tmp_path / "x.exr", rng.uniform(0, 4, (4, 6, 3)).astype(np.float32))
  data = (tmp_path / "x.exr").read_bytes()
  server.files[f"/openexr/{COMMIT}/Tiles/Gate.exr"] = data
  blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
  scene = {
    "file": "gate.exr",
    "split": "train",
    "origin": f"openexr-images:Tiles/Gate.exr@{COMMIT}",
  }
  scenes.append({**scene, "size": str(len(data)), "git_blob": blob})
  for scene in scenes:
    projection = "photo" if scene["file"].endswith("exr") else "panorama"
    group = pathlib.Path(scene["file"]).stem
    scene |= {"split_group": group, "projection": projection, "licence": "CC0-1.0"}
  hosts = download.Hosts(polyhaven=address, openexr_images=f"{address}/openexr")
  out = tmp_path / "scenes"
  yield types.SimpleNamespace(
    server=server,
    hall="/dl/hall_1k.hdr",
    out=out,
    options={"scenes": scenes, "hosts": hosts, "client": QUICK},
    run=lambda: download.download(out, scenes=scenes, hosts=hosts, client=QUICK),
    count=lambda: collections.Counter(path for path, _ in server.requests),
  )
  server.shutdown()
  server.server_close()


def index(world):
  with (world.out / "index.csv").open(newline="") as stream:
    return [row["file"] for row in csv.DictReader(stream)]


def parts(world):
  return sorted(path.name for path in world.out.glob("*.part"))


def test_the_scenes_come_once_and_make_a_source(world, capsys):
  assert download.main(world.out, **world.options) == 0
  assert "Poly Haven" in capsys.readouterr().out
  train, test = (hdr_folder.HdrFolder(world.out, split=split) for split in ("all", "test"))
  assert train.names == ("hall", "quay", "gate") and test.names == ("quay",)
  assert train[0]["panorama"] and not train[2]["panorama"]
  assert parts(world) == []
  assert all(h["User-Agent"].startswith("expocm_jax/") for _, h in world.server.requests)
  (world.out / "quay.hdr").write_bytes(b"broken")
  assert world.run() == {}
  assert world.count()[world.hall] == 1 and world.count()["/dl/quay_1k.hdr"] == 2
  assert (world.out / "quay.hdr").read_bytes() == world.server.files["/dl/quay_1k.hdr"]


def test_what_is_missing_is_reported_and_the_rest_goes_on(world, capsys):
  del world.server.files["/files/quay"]
  del world.server.files[f"/openexr/{COMMIT}/Tiles/Gate.exr"]
  assert download.main(world.out, **world.options) == 2
  told = capsys.readouterr().err
  assert "quay.hdr: not found on the server (404)" in told
  assert "gate.exr: not found on the server (404)" in told
  assert index(world) == ["hall.hdr"]
  assert world.count()["/files/quay"] == 1, "a 404 is final"


def test_nothing_at_all_is_an_error(world):
  world.server.files.clear()
  with pytest.raises(UserError, match="none of 3 files could be fetched.*404"):
    download.main(world.out, **world.options)
  assert not (world.out / "index.csv").exists()


@pytest.mark.parametrize("answer", [{}, {"hdri": {}}, {"hdri": []}, {"hdri": {"2k": {"hdr": {}}}}])
def test_an_answer_without_the_resolution(world, answer):
  world.server.files["/files/hall"] = json.dumps(answer).encode()
  failures = world.run()
  assert list(failures) == ["hall.hdr"] and "offers no 1k .hdr" in failures["hall.hdr"]
  world.server.files["/files/hall"] = b"<html>"
  assert "not a JSON object" in world.run()["hall.hdr"]


def test_a_truncated_body_is_continued_where_it_ended(world):
  world.server.trouble[world.hall] = [lambda h: h.reply(h.server.files[h.path], keep=100)]
  assert world.run() == {}
  ranges = [h.get("Range") for path, h in world.server.requests if path == world.hall]
  assert ranges == [None, "bytes=100-"]


def test_a_part_of_an_earlier_run_is_continued(world):
  cut = lambda h: h.reply(h.server.files[h.path], keep=50)
  down = lambda h: h.reply(b"", status=503)
  world.server.trouble[world.hall] = [cut, down, down]
  assert "503" in world.run()["hall.hdr"]
  assert parts(world) == ["hall.hdr.part"]
  assert (world.out / "hall.hdr.part").stat().st_size == 50
  world.server.trouble.clear()
  world.server.requests.clear()
  assert world.run() == {}
  ranges = [h.get("Range") for path, h in world.server.requests if path == world.hall]
  assert ranges == ["bytes=50-"] and parts(world) == []


def test_servers_that_ignore_or_refuse_ranges(world):
  world.out.mkdir()
  body = world.server.files[world.hall]
  (world.out / "hall.hdr.part").write_bytes(body[:60])
  world.server.trouble[world.hall] = [lambda h: h.reply(body, ranges=False)]
  assert world.run() == {}
  assert (world.out / "hall.hdr").read_bytes() == body
  refuse = [lambda h: h.reply(b"", status=416)]
  for stale, trouble in ((b"\0" * 60, []), (body[:60], refuse), (body + b"more", [])):
    (world.out / "hall.hdr").unlink()
    (world.out / "hall.hdr.part").write_bytes(stale)
    world.server.trouble[world.hall] = trouble
    assert world.run() == {}
    assert (world.out / "hall.hdr").read_bytes() == body


def test_a_wrong_checksum_never_becomes_a_file(world):
  good = world.server.files[world.hall]
  world.server.files[world.hall] = good[:-1] + bytes([good[-1] ^ 1])
  failures = world.run()
  assert list(failures) == ["hall.hdr"]
  assert "checksum (md5)" in failures["hall.hdr"] and "3 tries" in failures["hall.hdr"]
  assert index(world) == ["quay.hdr", "gate.exr"] and parts(world) == []
  assert not (world.out / "hall.hdr").exists()


def test_a_slow_server_is_given_up_and_tried_again(world):
  world.server.trouble[world.hall] = [lambda h: time.sleep(0.9)]
  assert world.run() == {}
  world.server.trouble["/files/quay"] = 3 * [lambda h: time.sleep(0.9)]
  assert "not answer in time (3 tries)" in world.run()["quay.hdr"]
  assert index(world) == ["hall.hdr", "quay.hdr", "gate.exr"], "what is there stays in the index"


def test_a_busy_server_says_when_to_come_back(world):
  busy = lambda h: h.reply(b"", status=429, headers=[("Retry-After", "0")])
  world.server.trouble["/files/hall"] = [busy, busy]
  assert world.run() == {}
  assert world.count()["/files/hall"] == 3


def test_without_a_network_it_ends_soon(world):
  world.server.shutdown()
  world.server.server_close()
  hall, _, gate = world.options["scenes"]
  many = [gate, *({**hall, "file": f"{number}.hdr"} for number in range(9))]
  reasons = list(download.download(world.out, **{**world.options, "scenes": many}).values())
  tried = [reason for reason in reasons if "no connection" in reason and "3 tries" in reason]
  spared = [reason for reason in reasons if reason == "not tried, as 127.0.0.1 does not answer"]
  once = [reason for reason in reasons if "no connection" in reason and "1 try" in reason]
  counts = (len(tried), len(once), len(spared))
  assert counts == (2, 1, 7), "a panorama and the photograph's other home, a second panorama, rest"
  with pytest.raises(UserError, match="none of 3 .*no connection"):
    download.main(world.out, **world.options)


def test_addresses_must_be_https(world):
  answer = json.loads(world.server.files["/files/hall"])
  answer["hdri"]["1k"]["hdr"]["url"] = "http://localhost:1/x.hdr"
  world.server.files["/files/hall"] = json.dumps(answer).encode()
  moved = lambda h: h.reply(b"", status=302, headers=[("Location", "http://localhost:1/y")])
  world.server.trouble["/dl/quay_1k.hdr"] = [moved]
  failures = world.run()
  assert set(failures) == {"hall.hdr", "quay.hdr"}
  assert all("is not https" in reason for reason in failures.values())


def test_ctrl_c_leaves_a_part(world, monkeypatch, capsys):
  body = world.server.files[world.hall]
  monkeypatch.setattr(fetching, "BLOCK", 40)
  monkeypatch.setattr(download.Client, "file", interrupted_after(40))
  with pytest.raises(KeyboardInterrupt):
    world.run()
  assert "goes on from here" in capsys.readouterr().err
  assert (world.out / "hall.hdr.part").read_bytes() == body[:40]
  monkeypatch.undo()
  monkeypatch.setenv("no_proxy", "127.0.0.1")
  assert world.run() == {}


def interrupted_after(count):
  original = fetching.Client.file

  def file(self, remote, path, *, progress):
    def ask(came):
      if came >= count:
        raise KeyboardInterrupt
      progress(came)

    return original(self, remote, path, progress=ask)

  return file


def test_folders_that_cannot_be_used(world, monkeypatch, tmp_path):
  (tmp_path / "taken").write_text("")
  with pytest.raises(UserError, match="names a file"):
    download.download(tmp_path / "taken", **world.options)
  world.out.mkdir()
  (world.out / "index.csv").write_text("file,split\nmine.exr,train\n")
  with pytest.raises(UserError, match="another set"):
    world.run()
  (world.out / "index.csv").unlink()
  with pytest.raises(UserError, match="resolution 'huge'"):
    download.download(world.out, resolution="huge", **world.options)

  def full(*args):
    raise OSError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(fetching.os, "replace", full)
  with pytest.raises(UserError, match="hall.hdr: cannot be written .No space") as caught:
    world.run()
  assert "\n" not in str(caught.value)


def test_the_list_of_scenes():
  scenes = download.read_scenes()
  names = [scene["file"] for scene in scenes]
  assert len(set(map(str.lower, names))) == len(names) == 91
  tests = [scene for scene in scenes if scene["split"] == "test"]
  assert len(tests) == 16 and {scene["split"] for scene in scenes} == {"train", "test"}
  splits = collections.defaultdict(set)
  for scene in scenes:
    splits[scene["split_group"]].add(scene["split"])
    assert scene["projection"] in hdr_folder.PROJECTIONS
    home, place = scene["origin"].split(":")
    if home == "polyhaven":
      assert scene["file"] == f"{place}.hdr" and re.fullmatch(r"[a-z0-9_]{1,50}", place)
      assert scene["licence"] == "CC0-1.0" and not scene["size"]
    else:
      assert home == "openexr-images" and scene["licence"] == "BSD-3-Clause"
      assert re.fullmatch(r"\w+/\w+\.exr@[0-9a-f]{40}", place)
      assert re.fullmatch(r"[0-9a-f]{40}", scene["git_blob"]) and int(scene["size"]) > 100_000
  assert all(len(kinds) == 1 for kinds in splits.values())
