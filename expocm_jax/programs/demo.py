"""Reconstructs photographs that other packages bring along: what `make demo` runs."""

import importlib.util
import os
import pathlib

from expocm_jax.errors import UserError
from expocm_jax.programs import reconstruct

PHOTOS = {
  "skimage": ("data/rocket.jpg", "data/coffee.png", "data/astronaut.png"),
  "sklearn": ("datasets/images/china.jpg",),
}
SAMPLES = 8  # draws of the noise; a single one leaves a faint mottle in large highlights
PACKAGES = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


def photographs() -> list[pathlib.Path]:
  """The paths of the photographs; UserError when a package that ships them is not installed."""
  paths = []
  for package, names in PHOTOS.items():
    spec = importlib.util.find_spec(package)  # finds the folder without the slow import
    if spec is None or not spec.submodule_search_locations:
      raise UserError(
        f"{package}: not installed, and the demo needs its photographs; "
        f"run pip install {PACKAGES[package]}"
      )
    folder = pathlib.Path(spec.submodule_search_locations[0])
    paths += [folder / name for name in names]
  return paths


def main(*, output: str | os.PathLike = "demo_output", weights: str | os.PathLike = "tiny"):
  """Writes .exr, .hdr and a preview of each photograph to `output` and says where they lie."""
  written = reconstruct.main(
    input=photographs(), output=output, weights=weights, formats=("exr", "hdr"), samples=SAMPLES
  )
  folder = pathlib.Path(output).resolve()
  print(
    f"\n{len(written)} HDR files lie in {folder}, with the spread of the samples (.std.exr) and a "
    "preview of each photo:"
  )
  for preview in sorted(folder.glob(f"*{reconstruct.PREVIEW_SUFFIX}")):
    print(f"  {preview.name}")
  print(
    "Previews: the photo, then the reconstruction at 0, -2 and -4 EV. What stays bright at "
    "-4 EV\nlies far above the photo's white. Open the .exr or .hdr in any HDR viewer."
  )
