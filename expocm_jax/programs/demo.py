"""Reconstructs the photos in examples/, whose ground truth is known: what `make demo` runs."""

import os
import pathlib

from expocm_jax import image_io
from expocm_jax.inference.preview import preview_sheet
from expocm_jax.programs import reconstruct

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
SAMPLES = 8  # draws of the noise; a single one leaves a faint mottle in large highlights


def main(*, output: str | os.PathLike = "demo_output", weights: str | os.PathLike = "tiny"):
  """Writes .exr, .hdr and a preview with the ground truth for each photo; says where they lie.

  Raises what `reconstruct.main` raises.
  """
  photos = sorted(EXAMPLES.glob("*.jpg"))
  reconstruct.main(
    input=photos, output=output, weights=weights, formats=("exr", "hdr"), samples=SAMPLES
  )
  folder = pathlib.Path(output).resolve()
  print(f"\nIn {folder}, each as .exr and .hdr, the spread of the samples as .std.exr:")
  for photo in photos:
    preview = folder / (photo.stem + reconstruct.PREVIEW_SUFFIX)
    hdr = image_io.read_hdr(folder / f"{photo.stem}.exr")
    truth = image_io.read_hdr(photo.with_suffix(".truth.exr"))
    image_io.write_png(preview, preview_sheet(image_io.read_ldr(photo), hdr, truth))
    print(f"  {preview.name}")
  print(
    "Previews: the photo, then reconstruction and ground truth at 0, -2 and -4 EV. What stays\n"
    "bright at -4 EV lies far above the photo's white. Open .exr or .hdr in any HDR viewer."
  )
