"""HDR-SYNTH's pairs: photos made on the fly from HDR images alone.

A patch (or a whole image) is scaled to a mean of 0.5, exposed by 2^U[-3, 3], clipped at 1, sent
through a camera response curve, rounded to 8 bits and compressed as JPEG. The exposures and the
measured curves (DoRF) are the set's; the mean of 0.5 is what SingleHDR scales its patches to.
Without DoRF's file the curves are those of `response.draw`.
"""

import numpy as np

from input_pipeline.camera import photograph, response
from input_pipeline.datasets import catalogue, layouts
from input_pipeline.datasets.hdr_folder import HdrFolder

STOPS = (-3.0, 3.0)
MEAN = 0.5  # of a patch at 0 stops, 1.0 = clip


def open_images(root, *, split, validation_share, cache_gib) -> HdrFolder:
  """The scenes of a folder of HDR images, none a panorama.

  Folders `train`, `validation` and `test` name the split, at the root or one folder below it;
  without them the splits are those of `HdrFolder`.

  Raises:
    UserError: no such folder, no folder of this split, or as `HdrFolder`.
  """
  root = layouts.existing_folder(root)
  folder, complete = layouts.split_folder(root, catalogue.DATASETS["hdr_synth"], split)
  return HdrFolder(
    folder,
    split="all" if complete else split,
    projection="photo",
    validation_share=validation_share,
    cache_gib=cache_gib,
  )


def take_photo(scene, rng, *, size, curves, camera, headroom):
  """One photo of a scene and its ground truth; arguments and result as of `photograph.photograph`.

  Args:
    size: also None, for the whole image; otherwise a random part at a random scale, half of them
      mirrored.
    curves: as of `response.read_dorf`; none = the response family of `camera`.
    camera: its response and JPEG are used.
  """
  if size is None:
    radiance = scene["radiance"].astype(np.float32)
  else:
    radiance = photograph.view(scene, rng, size=size, camera=camera)
  mean = float(radiance.mean(dtype=np.float64)) or 1.0  # a black image stays black
  exposed = radiance * np.float32(MEAN / mean * 2.0 ** rng.uniform(*STOPS))
  if curves:
    _, irradiance, brightness = curves[rng.integers(len(curves))]
    value = np.interp(np.clip(exposed, 0.0, 1.0), irradiance, brightness)
    developed = np.rint(255 * value).astype(np.uint8)
  else:
    developed = response.develop(exposed, response.draw(rng, camera))
  return {
    "ldr": photograph.jpeg(np.ascontiguousarray(developed), rng, camera),
    "hdr": np.ascontiguousarray(np.clip(exposed, 0.0, headroom), np.float32),
  }
