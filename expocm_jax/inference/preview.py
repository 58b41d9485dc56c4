"""Pictures that show an HDR image on an ordinary screen: the photo beside three exposures."""

from collections.abc import Callable

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from expocm_jax import colorimetry
from expocm_jax.ops import color

EXPOSURES = (0, -2, -4)  # EV; each step down brings out what lies above the photo's white
PANEL_WIDTH = (96, 398)  # pixels, least and most; four of the widest and the gaps make 1598
MAX_HEIGHT = 1600  # pixels of a panel
GAP = 2  # pixels between panels
LABEL_HEIGHT = 18  # pixels of the strip above each panel

_to_display = jax.jit(color.linear_to_srgb)


def preview_sheet(
  ldr: np.ndarray, hdr: np.ndarray, truth: np.ndarray | None = None, *, photo: str = "photo"
) -> np.ndarray:
  """Panels "photo | 0 EV | -2 EV | -4 EV" as uint8 [h, w, 3], at most 1600 pixels wide.

  Args:
    ldr: [H, W, 3] float32 in [0, 1], display-referred sRGB.
    hdr: [H, W, 3] float32 relative radiance of the same view, 1.0 = where the photo clips.
    truth: as `hdr`; adds its three exposures, and as much width.
    photo: label of the first panel.
  """
  # A table: large photos stay cheap.
  linear = colorimetry.srgb_to_linear(np.arange(256) / 255).astype(np.float32)
  panels = {photo: _resized(ldr, lambda part: linear[np.rint(part * 255).astype(np.uint8)])}
  for name, image in (("", hdr), ("truth, ", truth)):
    if image is not None:
      small = _resized(image, np.ascontiguousarray)
      panels |= {f"{name}{ev} EV": small * np.float32(2.0**ev) for ev in EXPOSURES}
  height, width = small.shape[:2]
  step = width + GAP
  sheet = Image.new("RGB", (len(panels) * step - GAP, LABEL_HEIGHT + height), (24, 24, 24))
  draw = ImageDraw.Draw(sheet)
  for index, (label, panel) in enumerate(panels.items()):
    display = np.asarray(_to_display(np.clip(panel, 0, 1)))
    image = Image.fromarray(np.round(display * 255).astype(np.uint8))
    sheet.paste(image, (index * step, LABEL_HEIGHT))
    draw.text((index * step + 4, 3), label, fill=(235, 235, 235), font=ImageFont.load_default())
  return np.asarray(sheet)


def _resized(image: np.ndarray, to_linear: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
  """The linear image at a panel's size: averages going down, plain pixels going up."""
  height, width = image.shape[:2]
  scale = min(np.clip(width, *PANEL_WIDTH) / width, MAX_HEIGHT / height)
  size = max(1, round(width * scale)), max(1, round(height * scale))
  method = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
  channels = (Image.fromarray(to_linear(image[..., channel])) for channel in range(3))
  return np.stack([np.asarray(channel.resize(size, method)) for channel in channels], axis=-1)
