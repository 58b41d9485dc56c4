"""Bridges to two metrics of perceived quality that others maintain: HDR-VDP-3, ColorVideoVDP.

Neither is part of this project; docs/evaluation.md tells how to get them. Both compare
light, so images are given in absolute units: [H, W, 3] linear BT.709 in cd/m2 (nits), as they would
leave a display. Scores end at 10, the score of a pair that looks the same.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from importlib import resources

import numpy as np

from expocm_jax.errors import UserError, first_line


class HdrVdp3:
  """HDR-VDP-3's quality Q (Mantiuk et al. 2023) of the user's copy, run by Octave on the CPU.

  Args:
    folder: of the user's copy, with hdrvdp3.m in it (or one level deeper, as archives unpack).
    pixels_per_degree: of visual angle. The score depends on it: state it with every number.
    octave: name or path of Octave's program.
    timeout: seconds for a pair.

  `version` is the line that HDR-VDP asks to be quoted with its scores; None before the first one.

  Raises:
    UserError: Octave, one of its packages, or hdrvdp3.m is missing.
  """

  def __init__(
    self,
    folder: str | os.PathLike,
    *,
    pixels_per_degree: float = 30.0,
    octave: str = "octave-cli",
    timeout: float = 600.0,
  ):
    folder = pathlib.Path(folder)
    if not folder.is_dir():
      raise UserError(f"{folder}: not a folder; give the folder of your copy of HDR-VDP-3")
    found = [*folder.glob("hdrvdp3.m"), *sorted(folder.glob("*/hdrvdp3.m"))]
    if not found:
      raise UserError(
        f"{folder}: no hdrvdp3.m; get HDR-VDP 3.0.7 from "
        "https://hdrvdp.sourceforge.net and unpack it"
      )
    self._folder = found[0].parent
    self._octave = shutil.which(octave)
    if self._octave is None:
      raise UserError(
        f"{octave}: not found on PATH; install Octave "
        "(Debian, Ubuntu: apt-get install octave octave-image octave-statistics)"
      )
    self._pixels_per_degree = float(pixels_per_degree)
    self._timeout = timeout
    self.version = None
    answer = self._run()
    if missing := re.search(r"^missing package: (\w+)$", answer, re.MULTILINE):
      raise UserError(
        f"{octave}: package {missing[1]} is missing; install it "
        f"(Debian, Ubuntu: apt-get install octave-{missing[1]}; "
        f"else in Octave: pkg install -forge {missing[1]})"
      )
    if "ready" not in answer:
      raise UserError(f"{octave}: does not run scripts as Octave does; install Octave 7 or later")

  def score(self, pred_nits: np.ndarray, ref_nits: np.ndarray) -> float:
    """Q of a pair [H, W, 3] in cd/m2; 10 is best, it can be negative. Seconds a pair.

    Raises:
      UserError: HDR-VDP or Octave failed, or took longer than the timeout.
      ValueError: the images' shapes differ or are not [H, W, 3], or values are not finite.
    """
    images = _pair(pred_nits, ref_nits)
    height, width = images[0].shape[:2]
    with tempfile.TemporaryDirectory(prefix="hdrvdp3-") as temp:
      files = [os.path.join(temp, name) for name in ("test.f32", "reference.f32")]
      for image, file in zip(images, files, strict=True):
        image.astype("<f4").tofile(file)
      answer = self._run(*files, str(height), str(width), repr(self._pixels_per_degree))
    if version := re.search(r"^HDR-VDP v.*$", answer, re.MULTILINE):
      self.version = version[0].strip()
    quality = re.search(r"^quality: (-?\d\S*)$", answer, re.MULTILINE)  # not NaN
    if not quality:
      raise UserError(f"{self._folder}: gives no quality Q; use an unchanged copy of HDR-VDP 3.0.7")
    return float(quality[1])

  def _run(self, *arguments: str) -> str:
    """Runs the script; returns its standard output."""
    script = resources.files(__package__).joinpath("run_hdrvdp3.m")
    command = [self._octave, "--norc", "--quiet", str(script), str(self._folder.resolve())]
    try:
      done = subprocess.run(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=self._timeout,
      )
    except subprocess.TimeoutExpired as error:
      raise UserError(
        f"{self._folder}: HDR-VDP-3 took longer than {self._timeout:g} s; "
        "use smaller images or a longer timeout"
      ) from error
    except OSError as error:
      raise UserError(f"{self._octave}: does not start ({first_line(error)})") from error
    if done.returncode:
      lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
      errors = [line for line in lines if line.startswith("error:")]
      told = [*errors, *lines, f"error: exit status {done.returncode}"][0]
      raise UserError(f"{self._folder}: Octave failed, {told[:300]}")
    return done.stdout


class ColorVideoVdp:
  """ColorVideoVDP's JOD (Mantiuk et al. 2024) of a pair of still images, by the package cvvdp.

  The display is a linear one that shows [0.005, 10000] cd/m2 as given, in a dark room: absolute
  values are honoured, as in PU21. Its geometry is that of ColorVideoVDP's "standard_hdr_linear"
  (30 inches, 4K, seen from 0.75 m: 75.4 pixels per degree) unless `pixels_per_degree` is given.

  `version` is the line that ColorVideoVDP asks to be quoted with its scores.

  Raises:
    UserError: the package or PyTorch is missing or cannot be imported.
  """

  def __init__(self, *, pixels_per_degree: float | None = None):
    try:
      import pycvvdp
    except ImportError as error:
      raise UserError(
        f"ColorVideoVDP: {first_line(error)}; pip install cvvdp (it needs PyTorch)"
      ) from error
    except (OSError, RuntimeError) as error:  # a broken build of PyTorch
      raise UserError(
        f"ColorVideoVDP: cannot be imported ({first_line(error)}); reinstall torch and cvvdp"
      ) from error
    photometry = pycvvdp.vvdp_display_photo_eotf(
      10000.0, contrast=2e6, source_colorspace="BT.709", EOTF="linear", E_ambient=0.0
    )
    geometry = None
    if pixels_per_degree is not None:
      geometry = pycvvdp.vvdp_display_geometry([3840, 2160], ppd=float(pixels_per_degree))
    self._metric = pycvvdp.cvvdp(
      display_name="standard_hdr_linear",
      display_photometry=photometry,
      display_geometry=geometry,
      quiet=True,
    )
    self.version = self._metric.get_info_string().strip('"')

  def score(self, pred_nits: np.ndarray, ref_nits: np.ndarray) -> float:
    """JOD of a pair [H, W, 3] in cd/m2; 10 is best.

    Raises:
      ValueError: the images' shapes differ or are not [H, W, 3], or values are not finite.
    """
    pred, ref = _pair(pred_nits, ref_nits)
    jod, _ = self._metric.predict(pred, ref, dim_order="HWC")
    return float(jod)


def _pair(pred_nits: np.ndarray, ref_nits: np.ndarray) -> list[np.ndarray]:
  pair = [np.array(image, np.float32, order="C") for image in (pred_nits, ref_nits)]
  shapes = [image.shape for image in pair]
  if shapes[0] != shapes[1] or len(shapes[0]) != 3 or shapes[0][-1] != 3:
    raise ValueError(f"shapes {shapes[0]} and {shapes[1]}; expected the same [H, W, 3]")
  if not all(np.isfinite(image).all() for image in pair):
    raise ValueError("an image has values that are not finite")
  return pair
