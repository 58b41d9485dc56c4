"""Hosts that never answer, at any stage, are given up soon; slow ones are not."""

import contextlib
import re
import socket
import time

import pytest

from expocm_jax.errors import UserError
from input_pipeline import download, fetching
from tests.support.scene_server import serve


@pytest.fixture(params=["takes connections", "drops packets", "no handshake"])
def silence(request):
  """The address of a host that never answers."""
  with contextlib.ExitStack() as stack:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    port = listener.getsockname()[1]
    if request.param == "drops packets":  # as Linux does once the queue is full
      for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", port))
    yield f"http{'s' * (request.param == 'no handshake')}://127.0.0.1:{port}"


def test_a_silent_host_is_given_up_soon(tmp_path, monkeypatch, silence):
  monkeypatch.setenv("no_proxy", "127.0.0.1")
  gate = {"file": "gate.exr", "origin": "openexr-images:a/b.exr@0", "size": "9", "git_blob": "0"}
  many = [gate, *({"file": f"{n}.hdr", "origin": f"polyhaven:{n}"} for n in range(20))]
  client = fetching.Client(timeout=0.1, connect_timeout=0.1, silence=0.15, attempts=9, pause=0.01)
  options = {"hosts": download.Hosts(silence, silence), "client": client, "scenes": many}
  start = time.monotonic()
  with pytest.raises(UserError, match="none of 21 files.* does not answer") as caught:
    download.main(tmp_path / "scenes", **options)
  assert time.monotonic() - start < 3 and "\n" not in str(caught.value)
  reasons = download.download(tmp_path / "scenes", **options).values()
  tries = [re.search(r"in time \((\d) tr", reason) for reason in reasons]
  counts = sorted(int(found[1]) for found in tries if found)
  assert len(counts) == 3 and counts[0] == 1 and counts[2] <= 2
  assert sum("not tried" in reason for reason in reasons) == 18


def test_a_server_may_take_longer_to_answer_than_to_connect(monkeypatch):
  monkeypatch.setenv("no_proxy", "127.0.0.1")
  server, address = serve()
  server.trouble["/x"] = [lambda h: (time.sleep(0.3), h.reply(b'{"a": 1}'))]
  client = fetching.Client(connect_timeout=0.1, attempts=1, plain_http=frozenset({"127.0.0.1"}))
  assert client.json(f"{address}/x") == {"a": 1}
  server.shutdown()
  server.server_close()


def test_all_addresses_of_a_host_share_the_time(monkeypatch):
  asked = []

  def refuse(address, timeout, source_address):
    asked.append((address[0], timeout))
    raise ConnectionRefusedError(f"by {address[0]}")

  places = [(0, 0, 0, "", (f"192.0.2.{number}", 443)) for number in range(3)]
  monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
  monkeypatch.setattr(socket, "create_connection", refuse)
  client = fetching.Client(connect_timeout=6.0, attempts=1)
  with pytest.raises(fetching.FetchError, match="no connection .*1 try") as caught:
    client.json("https://example.org/x")
  assert caught.value.unreachable
  assert asked == [(f"192.0.2.{number}", 2.0) for number in range(3)]
