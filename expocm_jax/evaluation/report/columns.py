"""The metrics of a report: their names, best values, digits, and the order of the columns.

First the paper's order (PSNR-mu, SSIM-mu, HDR-VDP-2, HDR-VDP-3, LPIPS, Delta E 2000), then what is
ours beyond. HDR-VDP-2, which we cannot measure, is among them for published numbers alone.
"""

from typing import NamedTuple

import numpy as np

from expocm_jax.ops.regions import REGIONS

MINUS = "−"


class Metric(NamedTuple):
  """How one metric is shown."""

  key: str  # in the record: "psnr_mu" of "psnr_mu/all"
  name: str  # short, for Markdown and the page
  latex: str
  best: str | float  # "higher" or "lower", or a target: the value that it should have
  digits: int  # decimals of a mean; its interval has one less, unless it is of a difference
  only: str = ""  # the one region that it is defined for; "": any

  @property
  def heading(self) -> str:
    return f"{self.name} {f'→ {self.best:g}' if self.has_target else _ARROWS[self.best][0]}"

  @property
  def latex_heading(self) -> str:
    arrow = rf"\to {self.best:g}" if self.has_target else _ARROWS[self.best][1]
    return f"{self.latex} ${arrow}$"

  @property
  def has_target(self) -> bool:
    return not isinstance(self.best, str)

  def shortfall(self, value: float | np.ndarray) -> float | np.ndarray:
    """What ranks values: the less, the better; of a metric with a target its distance from that."""
    if self.has_target:
      return abs(value - self.best)
    return -value if self.best == "higher" else value

  @property
  def decibels(self) -> bool:
    """A PSNR: its error can be pooled over pixels."""
    return self.key in ("psnr_mu", "pu21_psnr")

  def text(self, value: float, *, signed: bool = False, coarse: bool = False) -> str:
    """25.45, or .8173 for what lies between 0 and 1 (as the paper prints it); 0 has no sign."""
    digits = self.digits - coarse
    text = f"{abs(value):.{digits}f}"
    if self.digits == 4:
      text = text.removeprefix("0")
    if float(f"{value:.{digits}f}") == 0:
      return text
    return (MINUS if value < 0 else "+" if signed else "") + text


_ARROWS = {"higher": ("↑", r"\uparrow"), "lower": ("↓", r"\downarrow")}
METRICS = (
  Metric("psnr_mu", "PSNR-µ", r"PSNR-$\mu$", "higher", 2),
  Metric("ssim_mu", "SSIM-µ", r"SSIM-$\mu$", "higher", 4),
  Metric("hdrvdp2", "VDP-2", "VDP-2", "higher", 2),
  Metric("hdrvdp3", "VDP-3", "VDP-3", "higher", 2),
  Metric("lpips_alex", "LPIPS", "LPIPS", "lower", 4),
  Metric("delta_e_2000", "ΔE2000", r"$\Delta E_{2000}$", "lower", 2),
  Metric("pu21_psnr", "PU-PSNR", "PU21-PSNR", "higher", 2),
  Metric("pu21_ssim", "PU-SSIM", "PU21-SSIM", "higher", 4),
  Metric("lpips_vgg", "LPIPS-V", "LPIPS-VGG", "lower", 4),
  Metric("cvvdp", "CVVDP", "CVVDP", "higher", 2),
  Metric("light", "light", "light", 0.0, 2, "clipped"),
  Metric("peak", "peak", "peak", 0.0, 2, "all"),
  Metric("texture", "texture", "texture", 1.0, 2, "clipped"),
  Metric("fidelity", "fidelity", "fidelity", "lower", 2, "well_exposed"),
  Metric("fidelity_p99", "fidelity 99%", r"fidelity 99\,\%", "lower", 2, "well_exposed"),
)
BY_KEY = {metric.key: metric for metric in METRICS}
PUBLISHED_ONLY = ("hdrvdp2",)


def score_keys(present: set[str]) -> list[str]:
  """The score keys "metric/region" of `present` in the order of the columns.

  Raises:
    ValueError: a key whose metric or region is not known here.
  """
  known = [
    f"{metric.key}/{region}"
    for region in REGIONS
    for metric in METRICS
    if metric.only in ("", region)
  ]
  if unknown := sorted(present - set(known)):
    raise ValueError(f"scores that a report does not know: {', '.join(unknown)}")
  return [key for key in known if key in present]


def metric_of(key: str) -> Metric:
  """The metric of a score key."""
  return BY_KEY[key.split("/")[0]]
