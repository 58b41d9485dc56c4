"""HTTP(S) connections with a time-out of their own for connecting.

A firewall that drops packets never answers: waiting for it as long as for a busy server, address
after address, would take minutes.
"""

import functools
import http.client
import socket
import urllib.request


def opener(seconds: float, *handlers) -> urllib.request.OpenerDirector:
  """As `urllib.request.build_opener(*handlers)`; connecting may take `seconds`.

  That goes for all addresses of a host together (at least a second for each), and for each step
  of a TLS handshake.
  """
  return urllib.request.build_opener(_Http(seconds), _Https(seconds), *handlers)


class _Http(urllib.request.HTTPHandler):
  def __init__(self, seconds):
    super().__init__()
    self._make = functools.partial(_Connection, seconds=seconds)

  def http_open(self, req):
    return self.do_open(self._make, req)


class _Https(urllib.request.HTTPSHandler):
  def __init__(self, seconds):
    super().__init__()
    self._make = functools.partial(_TlsConnection, seconds=seconds)

  def https_open(self, req):
    return self.do_open(self._make, req)


class _TwoTimeouts:
  """Of a connection: `seconds` until it stands, the request's own time-out from then on."""

  def __init__(self, *args, seconds, **options):
    super().__init__(*args, **options)
    self._seconds = seconds
    self._create_connection = _connect

  def connect(self):
    whole, self.timeout = self.timeout, self._seconds
    try:
      super().connect()
    finally:
      self.timeout = whole
    self.sock.settimeout(whole)


class _Connection(_TwoTimeouts, http.client.HTTPConnection):
  pass


class _TlsConnection(_TwoTimeouts, http.client.HTTPSConnection):
  pass


def _connect(address, timeout, source_address=None):
  """As `socket.create_connection`, which would wait `timeout` for each address of the host."""
  places = [place[4][:2] for place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)]
  each = min(timeout, max(1.0, timeout / len(places)))
  for left in reversed(range(len(places))):
    try:
      sock = socket.create_connection(places[-1 - left], each, source_address)
    except OSError:
      if not left:
        raise
    else:
      sock.settimeout(timeout)
      return sock
