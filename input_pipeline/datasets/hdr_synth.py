"""HDR-SYNTH's pairs: photos made on the fly from HDR images alone.

A patch (or a whole image) is scaled to a mean of 0.5, exposed by 2^U[-3, 3], clipped at 1, sent
through a camera response curve, rounded to 8 bits and compressed as JPEG. The exposures and the
measured curves (DoRF) are the set's; the mean of 0.5 is what SingleHDR scales its patches to.
Without DoRF's file the curves are those of `response.response_curve`.
"""

import functools

import numpy as np

from expocm_jax.errors import UserError
from input_pipeline import crops
from input_pipeline.camera import photograph, response, response_curves
from input_pipeline.datasets import catalogue, hdr_folder, layouts

STOPS = (-3.0, 3.0)
MEAN = 0.5  # of a patch at 0 stops, 1.0 = clip


class HdrImages:
  """The scenes of a folder of HDR images, as `sources.HdrFolder` gives them, none a panorama.

  Folders `train`, `validation` and `test` name the split, at the root or one folder below it;
  without them the splits are those of `sources.HdrFolder`. `splits` are those that are there, no
  image in two of them.

  Raises:
    UserError: as `sources.HdrFolder`.
  """

  def __init__(self, root, *, split, validation_share, cache_gib):
    options = {"projection": "photo", "validation_share": validation_share, "cache_gib": cache_gib}
    root = layouts.checked_folder(root)
    named = layouts.split_folders(root)
    training = split in catalogue.TRAINING
    folder, inner = named.get(split), split
    if folder is not None and (split == "test" or "validation" in named):
      inner = "all"
    elif folder is None and named and split != "all":
      folder = named.get("train") if training else None
      if folder is None:
        raise UserError(f"{root}: has no {split} folder; add one or name another split")
    self.splits = tuple(
      known
      for known in (*catalogue.TRAINING, "test")
      if known in (named or catalogue.TRAINING) or (known == "validation" and "train" in named)
    )
    folder = folder or root
    self.images = hdr_folder.HdrFolder(folder, split=inner, **options)

  @property
  def names(self) -> tuple[str, ...]:
    return self.images.names

  def fingerprint(self, index) -> str:
    """As `sources.HdrFolder.fingerprint`."""
    return self.images.fingerprint(index)

  def __len__(self):
    return len(self.images)

  def __getitem__(self, index):
    return self.images[index]

  def read(self, index):
    """As `sources.HdrFolder.read`."""
    return self.images.read(index)


def make_example(data, options: photograph.Camera):
  """The function that makes an example of a scene: `take_photo` with DoRF's curves or ours.

  Args:
    data: `config.data`; `response_curves` is DoRF's file or "".
    options: response, JPEG and headroom are used.

  Raises:
    UserError: DoRF's file cannot be used.
  """
  curves = response_curves.read_dorf(data.response_curves) if data.response_curves else ()
  return functools.partial(take_photo, curves=curves, options=options)


def take_photo(scene, rng, *, size, curves, options):
  """One photo of a scene and what it stands for, everything random drawn from `rng`.

  Args:
    scene: dict of `radiance` [H, W, 3], linear, any scale; optionally `levels`, its pyramid.
    rng: numpy Generator; the result depends on it and the scene alone.
    size: of the photo, pixels, a number or (h, w): a random part at a random scale, half of
      them mirrored; None = the whole image.
    curves: as of `response_curves.read_dorf`; none = the response family of `options`.
    options: `camera.Camera`.

  Returns:
    dict of `ldr` [h, w, 3] float32 in [0, 1] and `hdr` [h, w, 3] float32 in [0, headroom],
    1.0 = where the photo clips.
  """
  if size is None:
    radiance = scene["radiance"].astype(np.float32)
  else:
    size = (size, size) if np.ndim(size) == 0 else tuple(size)
    image = scene.get("levels", scene["radiance"])
    radiance = photograph.random_crop(image, rng, size=size)
    radiance = radiance[:, ::-1] if rng.random() < 0.5 else radiance
  mean = float(radiance.mean(dtype=np.float64)) or 1.0  # a black image stays black
  exposed = radiance * np.float32(MEAN / mean * 2.0 ** rng.uniform(*STOPS))
  if curves:
    _, irradiance, brightness = curves[rng.integers(len(curves))]
    value = np.interp(np.clip(exposed, 0.0, 1.0), irradiance, brightness)
    developed = np.rint(255 * value).astype(np.uint8)
  else:
    developed = response.develop(exposed, response.draw(rng, options))
  low, high = options.jpeg_quality
  photo = photograph.jpeg(
    np.ascontiguousarray(developed),
    quality=int(rng.integers(low, high + 1)),
    subsampled=bool(rng.random() < options.chroma_subsampling),
  )
  pair = {"ldr": photo.astype(np.float32) / np.float32(255), "hdr": exposed}
  return crops.finish(pair, headroom=options.headroom)
