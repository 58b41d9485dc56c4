"""A real headless Chromium, driven over a pipe with the DevTools protocol (no package needed)."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60  # seconds for any one answer


class Unusable(Exception):
  """A browser that does not start, or may not read the file (as some sandboxed packages)."""


def find() -> str | None:
  """The browser's path: $CHROMIUM, or one on the path; None where there is none."""
  return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


class Page:
  """One tab. `problems` are the errors that it wrote to the console, `requests` what it fetched."""

  def __init__(self, url: str, profile: os.PathLike, *, width: int = 1400, height: int = 900):
    self.problems, self.requests = [], []
    self._count, self._buffer, self._session = 0, b"", None
    self._start(profile)
    try:
      self._open(url, width, height)
    except BaseException:
      self.close()
      raise

  def _open(self, url, width, height):
    try:
      self._call("Browser.getVersion")
    except (OSError, RuntimeError) as error:
      raise Unusable(f"{find()} does not start ({error})") from error
    target = self._call("Target.createTarget", url="about:blank")["targetId"]
    self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
      self.call(f"{domain}.enable")
    self.resize(width, height)
    if problem := self.call("Page.navigate", url=url).get("errorText"):
      raise Unusable(f"{find()} cannot open {url} ({problem})")
    self.wait_for("document.readyState === 'complete'")

  def _start(self, profile):
    from_us, self._out = os.pipe()
    self._in, to_us = os.pipe()
    command = [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync",
               "--remote-debugging-pipe", f"--user-data-dir={profile}"]  # fmt: skip
    # The protocol's pipe is descriptors 3 and 4 of the browser.
    shell = f'exec "$@" 3<&{from_us} 4>&{to_us}'
    self._process = subprocess.Popen(
      ["bash", "-c", shell, "bash", *command],
      pass_fds=(from_us, to_us),
      stdin=subprocess.DEVNULL,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(to_us)

  def call(self, method: str, **params):
    """One command to the tab, and its result."""
    return self._call(method, self._session, **params)

  def evaluate(self, expression: str):
    """The value of a JavaScript expression, awaited if it is a promise."""
    answer = self.call(
      "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
    )
    if "exceptionDetails" in answer:
      raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
    return answer["result"].get("value")

  def wait_for(self, expression: str):
    """Until the expression is true; TimeoutError otherwise."""
    end = time.monotonic() + PATIENCE
    while not self.evaluate(expression):
      if time.monotonic() > end:
        raise TimeoutError(expression)
      time.sleep(0.02)

  def press(self, key: str):
    """One key, to what has the focus."""
    codes = {"ArrowLeft": 37, "ArrowRight": 39, "Enter": 13, "Home": 36, "End": 35}
    extra = {"text": "\r"} if key == "Enter" else {}
    common = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
    self.call("Input.dispatchKeyEvent", type="keyDown", **common, **extra)
    self.call("Input.dispatchKeyEvent", type="keyUp", **common)

  def resize(self, width: int, height: int):
    """The size of the window in CSS pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    self.call("Emulation.setDeviceMetricsOverride", **size)

  def screenshot(self, path: os.PathLike, *, dark: bool = False):
    """A PNG of what the window shows."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    self.call("Emulation.setEmulatedMedia", features=[scheme])
    data = self.call("Page.captureScreenshot", format="png")["data"]
    with open(path, "wb") as file:
      file.write(base64.b64decode(data))

  def close(self):
    """Ends the browser."""
    with contextlib.suppress(Exception):
      self._call("Browser.close")
    with contextlib.suppress(subprocess.TimeoutExpired):
      self._process.wait(10)
    if self._process.poll() is None:
      self._process.kill()
      self._process.wait()
    os.close(self._in)
    os.close(self._out)

  def _call(self, method, session=None, **params):
    self._count += 1
    message = {"id": self._count, "method": method, "params": params}
    if session:
      message["sessionId"] = session
    os.write(self._out, json.dumps(message).encode() + b"\0")
    while True:
      answer = self._read()
      if answer.get("id") == self._count:
        if "error" in answer:
          raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]
      self._note(answer.get("method"), answer.get("params"))

  def _read(self) -> dict:
    while b"\0" not in self._buffer:
      if not select.select([self._in], [], [], PATIENCE)[0]:
        raise TimeoutError("the browser does not answer")
      data = os.read(self._in, 1 << 20)
      if not data:
        raise RuntimeError("the browser ended")
      self._buffer += data
    message, self._buffer = self._buffer.split(b"\0", 1)
    return json.loads(message)

  def _note(self, event, params):
    if event == "Runtime.exceptionThrown":
      self.problems.append(params["exceptionDetails"])
    elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
      self.problems.append(params["entry"])
    elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
      self.problems.append(params)
    elif event == "Network.requestWillBeSent":
      self.requests.append(params["request"]["url"])
