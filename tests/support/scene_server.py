"""A web server on this machine that serves files with Range, or makes trouble as told."""

import contextlib
import http.server
import re
import threading


class Handler(http.server.BaseHTTPRequestHandler):
  """Serves `server.files` {path: bytes}; functions in `server.trouble` {path: list} come first."""

  protocol_version = "HTTP/1.1"
  disable_nagle_algorithm = True  # else 40 ms go by between the headers and the body

  def log_message(self, *args):
    pass

  def handle(self):
    with contextlib.suppress(OSError):  # the client has left
      super().handle()

  def do_GET(self):
    self.server.requests.append((self.path, dict(self.headers)))
    tricks = self.server.trouble.get(self.path, [])
    if tricks and (trick := tricks.pop(0)):
      return trick(self)
    self.reply(self.server.files.get(self.path))

  def reply(self, body, *, ranges=True, keep=None, status=200, headers=()):
    """`keep` cuts the body short of its Content-Length."""
    wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
    headers = list(headers)
    if body is None:
      status, body = 404, b"No asset with id x"
    elif wanted and ranges and status == 200:
      start = int(wanted[1])
      if start >= len(body):
        return self.reply(b"", status=416)
      headers.append(("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}"))
      status, body = 206, body[start:]
    self.send_response(status)
    for header in [*headers, ("Content-Length", str(len(body)))]:
      self.send_header(*header)
    self.end_headers()
    self.wfile.write(body if keep is None else body[:keep])
    if keep is not None:
      self.close_connection = True


def serve():
  """Starts a server; returns it and its address."""
  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  server.files, server.trouble, server.requests = {}, {}, []
  threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
  return server, f"http://127.0.0.1:{server.server_address[1]}"
