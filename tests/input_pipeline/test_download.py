"""The download of public scenes, against a server on this machine that answers as theirs do."""

import collections
import contextlib
import csv
import errno
import hashlib
import json
import pathlib
import re
import socket
import time
import types

import numpy as np
import pooch
import pytest

from expocm_jax import image_io
from expocm_jax.errors import UserError
from input_pipeline import download
from input_pipeline.datasets import hdr_folder
from tests.support.scene_server import serve

QUICK = {"connect": 0.5, "read": 0.5, "retries": 2, "pause": 0.01}
COMMIT = "0" * 40
GATE = f"/openexr/{COMMIT}/Tiles/Gate.exr"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
  """No proxy, and no pauses of pooch between its tries."""
  monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
  monkeypatch.setattr(pooch.core, "time", types.SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def world(tmp_path):
  """A server with three scenes, and what `download` needs to know of it."""
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
  data = server.files[GATE] = (tmp_path / "x.exr").read_bytes()
  scene = {"file": "gate.exr", "split": "train"}
  scene |= {"origin": f"openexr-images:Tiles/Gate.exr@{COMMIT}"}
  scene |= {"size": str(len(data)), "sha256": hashlib.sha256(data).hexdigest()}
  scenes.append(scene)
  for scene in scenes:
    projection = "photo" if scene["file"].endswith("exr") else "panorama"
    group = pathlib.Path(scene["file"]).stem
    scene |= {"split_group": group, "projection": projection, "licence": "CC0-1.0"}
  homes = {"polyhaven": address, "openexr_images": f"{address}/openexr"}
  out = tmp_path / "scenes"
  yield types.SimpleNamespace(
    server=server,
    hall="/dl/hall_1k.hdr",
    out=out,
    scenes=scenes,
    run=lambda **options: download.main(
      out, scenes=scenes, network=download.Network(**{**homes, **QUICK, **options})
    ),
    count=lambda: collections.Counter(path for path, _ in server.requests),
    ranges=lambda path: [h.get("Range") for asked, h in server.requests if asked == path],
  )
  server.shutdown()
  server.server_close()


def announce(world, **changes):
  """Changes what the API says of the file hall.hdr."""
  answer = json.loads(world.server.files["/files/hall"])
  answer["hdri"]["1k"]["hdr"] |= changes
  world.server.files["/files/hall"] = json.dumps(answer).encode()


def index(world):
  with (world.out / "index.csv").open(newline="") as stream:
    return [row["file"] for row in csv.DictReader(stream)]


def parts(world):
  return sorted(path.name for path in world.out.glob("*.part"))


def test_the_scenes_come_once_and_make_a_source(world, capsys):
  assert world.run() == {}
  assert "Poly Haven" in capsys.readouterr().out
  options = {"projection": "auto", "validation_share": 0.1, "cache_gib": 1.0}
  train, test = (hdr_folder.HdrFolder(world.out, split=s, **options) for s in ("all", "test"))
  assert train.names == ("hall", "quay", "gate") and test.names == ("quay",)
  assert train[0]["panorama"] and not train[2]["panorama"]
  assert sorted(path.name for path in world.out.iterdir()) == [
    "gate.exr", "hall.hdr", "index.csv", "quay.hdr"
  ]  # fmt: skip
  assert all(h["User-Agent"].startswith("expocm_jax/") for _, h in world.server.requests)
  (world.out / "quay.hdr").write_bytes(b"broken")
  assert world.run() == {}
  assert world.count()[world.hall] == 1 and world.count()["/dl/quay_1k.hdr"] == 2
  assert (world.out / "quay.hdr").read_bytes() == world.server.files["/dl/quay_1k.hdr"]


def test_what_is_missing_is_reported_and_the_rest_goes_on(world, capsys):
  del world.server.files["/files/quay"]
  del world.server.files[GATE]
  assert set(world.run()) == {"quay.hdr", "gate.exr"}
  told = capsys.readouterr().err
  assert "quay.hdr: 404" in told and "gate.exr: 404" in told
  assert index(world) == ["hall.hdr"]
  assert world.count()["/files/quay"] == world.count()[GATE] == 1, "a 404 is final"


def test_nothing_at_all_is_an_error(world):
  world.server.files.clear()
  with pytest.raises(UserError, match="none of 3 files could be fetched.*404"):
    world.run()
  assert not (world.out / "index.csv").exists()


@pytest.mark.parametrize(
  "answer",
  [
    b"{}",
    b'{"hdri": {}}',
    b'{"hdri": []}',
    b'{"hdri": {"2k": {"hdr": {}}}}',
    b'{"hdri": {"1k": {"hdr": {"url": "x", "md5": "0", "size": Infinity}}}}',
    b'{"hdri": {"1k": {"hdr": {"url": "x", "md5": "0", "size": -5}}}}',
    b"<html>",
    b"\xff",
    b"[" * 100_000,
  ],
)
def test_an_answer_without_the_file(world, answer):
  world.server.files["/files/hall"] = answer
  failures = world.run()
  assert list(failures) == ["hall.hdr"] and "names no 1k .hdr" in failures["hall.hdr"]
  assert index(world) == ["quay.hdr", "gate.exr"]


def test_an_answer_with_other_bytes_than_announced(world):
  announce(world, size=40)
  assert "more than the announced 40 bytes" in world.run()["hall.hdr"]
  announce(world, size=10**9)
  assert "stopped after" in world.run()["hall.hdr"]
  announce(world, url="https://[")
  assert list(world.run()) == ["hall.hdr"]


def test_a_truncated_body_is_continued_where_it_ended(world):
  world.server.trouble[world.hall] = [lambda h: h.reply(h.server.files[h.path], keep=100)]
  assert world.run() == {}
  assert world.ranges(world.hall) == [None, "bytes=100-"]


def test_a_part_of_an_earlier_run_is_continued(world):
  cut = lambda h: h.reply(h.server.files[h.path], keep=50)
  down = lambda h: h.reply(b"", status=503)
  world.server.trouble[world.hall] = [cut, down, down, down]
  assert "503" in world.run()["hall.hdr"]
  assert parts(world) == ["hall.hdr.part"]
  assert (world.out / "hall.hdr.part").stat().st_size == 50
  assert not world.server.trouble[world.hall], "a busy server is tried twice more"
  world.server.requests.clear()
  assert world.run() == {}
  assert world.ranges(world.hall) == ["bytes=50-"] and parts(world) == []


def test_servers_that_ignore_or_refuse_ranges(world):
  world.out.mkdir()
  body = world.server.files[world.hall]
  (world.out / "hall.hdr.part").write_bytes(body[:60])
  world.server.trouble[world.hall] = [lambda h: h.reply(body, ranges=False)]
  assert world.run() == {}
  assert (world.out / "hall.hdr").read_bytes() == body
  refuse = [lambda h: h.reply(b"", status=416)]
  part = [lambda h: h.reply(body, status=206, headers=[("Content-Range", f"bytes 0-{len(body)}")])]
  longer = body + b"more"
  for stale, trouble in (
    (b"\0" * 60, []), (body[:60], refuse), (longer, []), (longer, part), (body, [])
  ):  # fmt: skip
    (world.out / "hall.hdr").unlink()
    (world.out / "hall.hdr.part").write_bytes(stale)
    world.server.trouble[world.hall] = trouble
    assert world.run() == {}
    assert (world.out / "hall.hdr").read_bytes() == body


def test_a_wrong_checksum_never_becomes_a_file(world):
  for path, file, kind in ((world.hall, "hall.hdr", "MD5"), (GATE, "gate.exr", "SHA256")):
    (world.out / file).unlink(missing_ok=True)
    world.server.requests.clear()
    good = world.server.files[path]
    world.server.files[path] = good[:-1] + bytes([good[-1] ^ 1])
    failures = world.run()
    assert list(failures) == [file]
    assert f"{kind} hash of downloaded file" in failures[file]
    assert world.ranges(path) == [None, None, None], "two tries more, each from the start"
    assert file not in index(world) and parts(world) == []
    assert not (world.out / file).exists()
    world.server.files[path] = good


def test_a_file_that_went_wrong_leaves_the_index_until_it_is_right(world):
  assert world.run() == {}
  (world.out / "hall.hdr").write_bytes(b"broken")
  good = world.server.files.pop(world.hall)
  assert list(world.run()) == ["hall.hdr"] and index(world) == ["quay.hdr", "gate.exr"]
  world.server.files[world.hall] = good
  assert world.run() == {} and index(world) == ["hall.hdr", "quay.hdr", "gate.exr"]


def test_a_slow_server_is_given_up_and_tried_again(world):
  world.server.trouble[world.hall] = [lambda h: time.sleep(0.9)]
  assert world.run() == {}
  world.server.trouble["/files/quay"] = 2 * [lambda h: time.sleep(0.9)]
  assert "timed out" in world.run()["quay.hdr"]
  assert index(world) == ["hall.hdr", "quay.hdr", "gate.exr"], "what is there stays in the index"


def trickle(handler):
  """Sends a byte now and then, never so rarely that a read times out."""
  handler.send_response(200)
  handler.send_header("Content-Length", "500")
  handler.end_headers()
  for _ in range(50):
    handler.wfile.write(b"x")
    time.sleep(0.05)


def test_a_server_that_trickles_is_given_up(world):
  world.server.trouble[world.hall] = [trickle]
  start = time.monotonic()
  failures = world.run(grace=0.2, rate=1000.0)
  assert time.monotonic() - start < 2
  assert failures == {"hall.hdr": "slower than 1000 bytes a second"}
  assert parts(world) == ["hall.hdr.part"] and world.count()[world.hall] == 1


def test_a_busy_server_says_when_to_come_back(world):
  busy = lambda h: h.reply(b"", status=429, headers=[("Retry-After", "0")])
  world.server.trouble["/files/hall"] = [busy, busy]
  assert world.run() == {}
  assert world.count()["/files/hall"] == 3
  world.server.trouble["/files/hall"] = [
    lambda h: h.reply(b"", status=429, headers=[("Retry-After", "1")])
  ]
  start = time.monotonic()
  assert world.run() == {} and time.monotonic() - start > 1


def broken_chunks(handler, *, size):
  handler.send_response(200)
  handler.send_header("Transfer-Encoding", "chunked")
  handler.end_headers()
  handler.wfile.write(b"5\r\nhello\r\n" + size + b"\r\nhello")
  handler.close_connection = True


@pytest.mark.parametrize("size", [b"-5", b"-ffffffffffffffffffff", b"ffffffff", b"?"])
def test_broken_chunks_break_the_connection(world, size):
  world.server.trouble[world.hall] = 3 * [lambda h: broken_chunks(h, size=size)]
  assert "the connection broke" in world.run()["hall.hdr"]
  world.server.trouble[world.hall] = [lambda h: broken_chunks(h, size=size)]
  assert world.run() == {}


def test_without_a_network_it_ends_soon(world):
  world.server.shutdown()
  world.server.server_close()
  hall, _, gate = world.scenes
  world.scenes[:] = [gate, *({**hall, "file": f"{number}.hdr"} for number in range(9))]
  with pytest.raises(UserError, match="none of 10 .*no connection .Connection refused") as caught:
    world.run()
  assert "\n" not in str(caught.value)


def test_one_home_may_be_silent_while_another_answers(world):
  hall, _, gate = world.scenes
  world.scenes[:] = [*({**hall, "file": f"{number}.hdr"} for number in range(9)), gate]
  with socket.create_server(("127.0.0.1", 0)) as closed:
    address = f"http://127.0.0.1:{closed.getsockname()[1]}"
  failures = world.run(polyhaven=address)
  reasons = collections.Counter(failures.values())
  assert reasons["no connection (Connection refused)"] == 2
  assert reasons["not tried, as polyhaven does not answer"] == 7
  assert index(world) == ["gate.exr"]


@pytest.mark.parametrize("kind", ["takes connections", "drops packets", "no handshake"])
def test_a_silent_host_is_given_up_soon(tmp_path, kind):
  with contextlib.ExitStack() as stack:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    port = listener.getsockname()[1]
    if kind == "drops packets":  # as Linux does once the queue is full
      for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", port))
    silence = f"http{'s' * (kind == 'no handshake')}://127.0.0.1:{port}"
    gate = {"file": "gate.exr", "origin": "openexr-images:a/b.exr@0", "size": "9"}
    gate["sha256"] = "0" * 64
    many = [gate, *({"file": f"{n}.hdr", "origin": f"polyhaven:{n}"} for n in range(20))]
    network = download.Network(silence, silence, connect=0.1, read=0.1, pause=0.01)
    start = time.monotonic()
    with pytest.raises(UserError, match="none of 21 files.* timed out") as caught:
      download.main(tmp_path / "scenes", scenes=many, network=network)
    assert time.monotonic() - start < 3 and "\n" not in str(caught.value)


def test_a_server_may_take_longer_to_answer_than_to_connect(world):
  slow = lambda h: (time.sleep(0.3), h.reply(h.server.files[h.path]))
  world.server.trouble[world.hall] = [slow]
  assert world.run(connect=0.1) == {}
  assert world.count()[world.hall] == 1


def test_addresses_must_be_https(world):
  announce(world, url="http://localhost:1/x.hdr")
  moved = lambda h: h.reply(b"", status=302, headers=[("Location", "http://localhost:1/y")])
  world.server.trouble["/dl/quay_1k.hdr"] = [moved]
  failures = world.run()
  assert set(failures) == {"hall.hdr", "quay.hdr"}
  assert all("is not https" in reason for reason in failures.values())


@pytest.mark.parametrize("place", ["http://[", "http://.", "//", "", "x" * 70_000, "http://a:b/"])
def test_a_malformed_redirection_is_a_failure_of_one_file(world, place):
  moved = lambda h: h.reply(b"", status=302, headers=[("Location", place)])
  world.server.trouble[world.hall] = 40 * [moved]
  failures = world.run()
  assert list(failures) == ["hall.hdr"] and len(failures["hall.hdr"].splitlines()) == 1


def test_ctrl_c_leaves_a_part(world, monkeypatch, capsys):
  body = world.server.files[world.hall]
  original = download.Network.get

  @contextlib.contextmanager
  def get(self, url, *, start=0):
    with original(self, url, start=start) as (continued, blocks):

      def some():
        yield next(blocks)[:40]
        raise KeyboardInterrupt

      yield continued, some() if url.endswith("hall_1k.hdr") else blocks

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(download.Network, "get", get)
    world.run()
  assert "goes on from here" in capsys.readouterr().err
  assert [path.name for path in world.out.iterdir()] == ["hall.hdr.part"]
  assert (world.out / "hall.hdr.part").read_bytes() == body[:40]
  assert world.run() == {} and world.ranges(world.hall)[-1] == "bytes=40-"


def test_folders_that_cannot_be_used(world, monkeypatch, tmp_path):
  (tmp_path / "taken").write_text("")
  with pytest.raises(UserError, match="names a file"):
    download.main(tmp_path / "taken", scenes=world.scenes)
  world.out.mkdir()
  for foreign in (
    b"file,split\nmine.exr,train\n",
    b"\xff\xfe\0",
    b"a,b\n1,2\n",
    b"file\n1\n\n2,3\n",
  ):
    (world.out / "index.csv").write_bytes(foreign)
    with pytest.raises(UserError, match="another set"):
      world.run()
    assert (world.out / "index.csv").read_bytes() == foreign
  (world.out / "index.csv").unlink()

  def full(*args):
    raise OSError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(pathlib.Path, "replace", full)
  with pytest.raises(UserError, match="hall.hdr: cannot be written .No space") as caught:
    world.run()
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  "change",
  [
    {"file": "../hall.hdr"},
    {"file": "/tmp/hall.hdr"},
    {"file": "a/hall.hdr"},
    {"file": ".hall.hdr"},
    {"file": "hall.py"},
    {"file": "index.csv"},
    {"file": "a\nb.hdr"},
    {"file": None},
    {"origin": "elsewhere:hall"},
    {"origin": "polyhaven:../hall"},
    {"origin": "openexr-images:a.exr"},
    {"origin": "openexr-images:a.exr@0"},
    {"origin": None},
  ],
)
def test_rows_that_are_no_scenes_are_refused(world, change):
  world.scenes[1] |= change
  with pytest.raises(UserError, match="list of scenes: .* cannot be used") as caught:
    world.run()
  assert "\n" not in str(caught.value) and not world.server.requests and not world.out.exists()
  for column in change:
    del world.scenes[1][column]
  with pytest.raises(UserError, match="list of scenes: .* cannot be used"):
    world.run()


def test_the_list_of_scenes():
  scenes = download.read_scenes()
  names = [scene["file"] for scene in scenes]
  assert len(set(map(str.lower, names))) == len(names) == 121 and names == sorted(names)
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
      assert re.fullmatch(r"[0-9a-f]{64}", scene["sha256"]) and int(scene["size"]) > 100_000
  assert all(len(kinds) == 1 for kinds in splits.values())
