"""A camera: from scene radiance to a photo and the radiance that it stands for.

The order is the light's. Scene: view, white balance, saturation. Lens: vignetting, blur. Exposure.
Here the record splits: the ground truth `hdr` is what this lens would have given on a sensor
without noise and without limit (so it keeps the photo's falloff and softness, and well-exposed
pixels of photo and ground truth agree); the photo `ldr` goes on through sensor (noise, clipping),
response curve, 8 bits and JPEG. In both, 1.0 is the radiance at which the sensor clips.
"""

import dataclasses
import io
import math

import numpy as np
from PIL import Image

from expocm_jax.colorimetry import LUMA, linear_to_srgb, srgb_to_linear
from expocm_jax.errors import UserError
from input_pipeline.camera import panorama, resample, response

DARKEST_VIEW = 4.0  # stops that a view's clip may lie below the scene's brightest tenth
Range = tuple[float, float]  # low and high, to draw from


RESPONSES = ("training", "srgb", "filmic")  # of `response.draw`
READINGS = ("both", "display", "camera")  # of `read`; both: half of the photos each


def _within(least, most):
  return dataclasses.field(metadata={"limits": (least, most)})


def _one_of(*names):
  return dataclasses.field(metadata={"names": names})


@dataclasses.dataclass(frozen=True)
class Camera:
  """The fields of `config.camera` (meanings and units there), within the limits given here.

  Raises:
    UserError: a field is out of its limits, or its low end is above the high one.
  """

  fov: Range = _within(1, 170)
  pitch: Range = _within(-90, 90)
  roll: Range = _within(-180, 180)
  clipped_share: Range = _within(0, 1)
  underexposed: float = _within(0, 1)
  underexposure: Range = _within(0, 20)
  response: str = _one_of(*RESPONSES)
  reading: str = _one_of(*READINGS)
  response_gamma: Range = _within(0.1, 10)
  response_s: Range = _within(0, 1)
  response_film: Range = _within(0, 1)
  film_exponent: Range = _within(0.1, 10)
  film_sigma: Range = _within(0.01, 100)
  response_channel: float = _within(0, 1)
  white_balance: float = _within(0, 1)
  saturation: Range = _within(0, 10)
  vignetting: Range = _within(0, 1)
  blur: Range = _within(0, 20)
  read_noise: Range = _within(0, 1)
  shot_noise: Range = _within(0, 1)
  jpeg_quality: Range = _within(1, 100)
  chroma_subsampling: float = _within(0, 1)

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if names := field.metadata.get("names"):
        if value not in names:
          raise UserError(
            f"config.camera.{field.name}={value}: unknown; use one of {', '.join(names)}"
          )
        continue
      least, most = field.metadata["limits"]
      if field.type is float:
        wanted, good = "a number", least <= value <= most
      else:
        wanted, good = "(low, high)", len(value) == 2 and least <= value[0] <= value[1] <= most
      if not good:
        raise UserError(
          f"config.camera.{field.name}={value}: out of range; "
          f"give {wanted} within {least} and {most}"
        )


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
  low = max(low, 1e-6)
  return float(np.exp(rng.uniform(math.log(low), math.log(max(low, high)))))


def view(scene: dict, rng: np.random.Generator, *, size, camera: Camera) -> np.ndarray:
  """A random view of the scene: float32 [h, w, 3] radiance in the scene's scale.

  A panorama is looked into in any direction; of a photograph a random part is taken, at a random
  scale that does not magnify it unless it is smaller than `size`. Half are mirrored.
  """
  size = (size, size) if np.ndim(size) == 0 else tuple(size)
  image = scene.get("levels", scene["radiance"])
  if scene["panorama"]:
    radiance = panorama.perspective_view(
      image,
      size=size,
      yaw=rng.uniform(-180.0, 180.0),
      fov=rng.uniform(*camera.fov),
      pitch=rng.uniform(*camera.pitch),
      roll=rng.uniform(*camera.roll),
    )
  else:
    radiance = random_crop(image, rng, size=size)
  return radiance[:, ::-1] if rng.random() < 0.5 else radiance


def random_crop(image, rng: np.random.Generator, *, size) -> np.ndarray:
  """A random part of an image [H, W, 3] or its pyramid, resized to `size`: float32 [h, w, 3]."""
  levels = (image,) if isinstance(image, np.ndarray) else image
  height, width = levels[0].shape[:2]
  largest = min(height / size[0], width / size[1])
  scale = log_uniform(rng, min(1.0, largest), largest)
  top = rng.uniform(0.0, max(0.0, height - scale * size[0]))
  left = rng.uniform(0.0, max(0.0, width - scale * size[1]))
  level = levels[min(int(math.log(max(scale, 1.0), resample.LEVEL_STEP)), len(levels) - 1)]
  dy, dx = level.shape[0] / height, level.shape[1] / width
  box = [left * dx, top * dy, (left + scale * size[1]) * dx, (top + scale * size[0]) * dy]
  # Only the part is converted to float32.
  x0, y0 = int(box[0]), int(box[1])
  part = level[y0 : math.ceil(box[3]), x0 : math.ceil(box[2])]
  box = (box[0] - x0, box[1] - y0, min(box[2] - x0, part.shape[1]), min(box[3] - y0, part.shape[0]))
  return resample.crop_resize(part, size, box=box)


def grade(radiance: np.ndarray, *, gains, saturation: float) -> np.ndarray:
  """White balance (`gains` [3]) and saturation about the luminance; never negative."""
  balanced = radiance * np.asarray(gains, np.float32)
  grey = sum(weight * balanced[..., c] for c, weight in enumerate(LUMA))[..., None]
  balanced -= grey  # in place: arrays of this size are slow to allocate
  balanced *= np.float32(saturation)
  balanced += grey
  return np.maximum(balanced, 0.0)


def vignette(radiance: np.ndarray, loss: float) -> np.ndarray:
  """Falls off with the square of the distance from the centre: 1 there, 1 - loss in the corners."""
  height, width = radiance.shape[:2]
  y = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
  x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
  return radiance * (1 - np.float32(loss / 2) * (y[:, None] ** 2 + x**2))[..., None]


def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
  """Separable Gaussian over [h, w, 3], sigma in pixels, radius 3 sigma, edges repeated."""
  if sigma < 0.1:  # the neighbours' weights are below 1e-20
    return image
  radius = math.ceil(3 * sigma)
  taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
  taps = (taps / taps.sum()).astype(np.float32)
  planes = np.moveaxis(image, -1, 0)
  for axis in (1, 2):
    n = planes.shape[axis]
    padded = planes.take(np.clip(np.arange(-radius, n + radius), 0, n - 1), axis=axis)
    planes = sum(
      tap * (padded[:, i : i + n] if axis == 1 else padded[..., i : i + n])
      for i, tap in enumerate(taps)
    )
  return np.moveaxis(planes, 0, -1)


def exposure_for(radiance: np.ndarray, share: float) -> float:
  """The factor that puts `share` of the pixels above 1.0 in their largest channel.

  1.0 for a black image. Where the image is flat there, fewer pixels end up above.
  """
  peak = np.maximum(np.maximum(radiance[..., 0], radiance[..., 1]), radiance[..., 2]).ravel()
  rank = min(int((1.0 - share) * peak.size), peak.size - 1)
  level = float(np.partition(peak, rank)[rank])
  level = level if level > 0 else float(peak.max())
  return 1.0 / level if level > 1e-30 else 1.0


def exposure_limit(scene: dict) -> float:
  """The largest exposure for any view of the scene.

  A part much darker than the rest stays dark: brightened like a view of its own it would show
  the noise of the HDR file, which no network should learn to make.
  """
  image = scene["levels"][-1] if "levels" in scene else scene["radiance"][::8, ::8]
  bright = float(np.percentile(image.max(axis=-1).astype(np.float32), 90))
  return 2.0**DARKEST_VIEW / bright if bright > 1e-30 else math.inf


def sensor_noise(signal: np.ndarray, rng: np.random.Generator, *, read: float, shot: float):
  """Adds Gaussian noise of variance read^2 + shot^2 * signal; linear, 1 = clip."""
  height, width, channels = signal.shape
  noise = rng.standard_normal((channels, height, width), dtype=np.float32)
  deviation = np.sqrt(np.float32(read**2) + np.float32(shot**2) * np.maximum(signal, 0.0))
  return signal + deviation * np.moveaxis(noise, 0, -1)


def jpeg(image: np.ndarray, rng: np.random.Generator, camera: Camera) -> np.ndarray:
  """uint8 [h, w, 3] through JPEG of a random quality, 4:2:0 or 4:4:4: float32 in [0, 1].

  Quality 100 leaves it as it is.
  """
  low, high = camera.jpeg_quality
  quality = int(rng.integers(low, high + 1))
  subsampling = "4:2:0" if rng.random() < camera.chroma_subsampling else "4:4:4"
  if quality < 100:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    image = np.asarray(Image.open(buffer, formats=("JPEG",)))
  return image.astype(np.float32) / np.float32(255)


def photograph(
  scene: dict, rng: np.random.Generator, *, size, camera: Camera, headroom: float
) -> dict:
  """Takes one photo of a scene, everything random drawn from `rng`.

  Args:
    scene: dict of `radiance` [H, W, 3] float16 or float32, linear BT.709, any scale; `panorama`,
      whether it is equirectangular; optionally `levels`, the pyramid of `radiance`.
    rng: the record's own generator.
    size: of the photo, pixels, a number or (h, w).
    camera: the ranges to draw from.
    headroom: largest relative radiance kept.

  Returns:
    dict of `ldr`, float32 [h, w, 3] in [0, 1], and `hdr`, float32 [h, w, 3] in [0, headroom].
  """
  codes, exposed, curve = expose(scene, rng, size=size, camera=camera)
  ldr, hdr = read(codes, exposed, curve, reading=draw_reading(rng, camera))
  return {"ldr": ldr, "hdr": np.ascontiguousarray(np.minimum(hdr, np.float32(headroom)))}


def expose(scene: dict, rng: np.random.Generator, *, size, camera: Camera) -> tuple:
  """A photo before its reading; arguments as `photograph`.

  Returns:
    (codes [h, w, 3] float32 in [0, 1] as the file holds them, exposed [h, w, 3] float32 linear
    radiance, 1.0 = where the sensor clips, the camera's response), as `read` takes them.
  """
  radiance = view(scene, rng, size=size, camera=camera)
  gains = np.exp(camera.white_balance * rng.standard_normal(3))
  radiance = grade(radiance, gains=gains, saturation=rng.uniform(*camera.saturation))
  radiance = vignette(radiance, rng.uniform(*camera.vignetting))
  radiance = gaussian_blur(radiance, rng.uniform(*camera.blur))
  exposure = exposure_for(radiance, log_uniform(rng, *camera.clipped_share))
  if rng.random() < camera.underexposed:
    exposure *= 2.0 ** -rng.uniform(*camera.underexposure)
  exposed = radiance * np.float32(min(exposure, exposure_limit(scene)))

  noisy = sensor_noise(
    exposed, rng, read=rng.uniform(*camera.read_noise), shot=rng.uniform(*camera.shot_noise)
  )
  curve = response.draw(rng, camera)
  return jpeg(response.develop(noisy, curve), rng, camera), exposed, curve


def draw_reading(rng: np.random.Generator, camera: Camera) -> str:
  """How one photo is read: "display" or "camera"."""
  if camera.reading != "both":
    return camera.reading
  return "display" if rng.random() < 0.5 else "camera"


def read(
  codes: np.ndarray, exposed: np.ndarray, curve, *, reading: str
) -> tuple[np.ndarray, np.ndarray]:
  """A photo and its ground truth under a reading: pixels that are reliable agree in either.

  Args:
    codes: [h, w, 3] float32 in [0, 1], as the file holds them.
    exposed: [h, w, 3] linear radiance of the scene, 1.0 = where the sensor clips.
    curve: the camera's response.
    reading: "camera": the response is undone, the ground truth is the scene's radiance.
      "display": the photo is sRGB as it says, and the ground truth is what sRGB means by it, up
      to the clip; above it, where no code says anything, the scene's radiance.

  Returns:
    (ldr [h, w, 3] float32 in [0, 1], hdr [h, w, 3] float32), 1.0 = where the photo clips.
  """
  if reading == "camera":
    return linear_to_srgb(response.linearise(codes, curve)).astype(np.float32), exposed
  shown = srgb_to_linear(curve(exposed))
  return codes, np.where(exposed <= 1, shown, exposed).astype(np.float32)
