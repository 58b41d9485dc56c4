"""Made-up HDR panoramas: analytic skies with a sun, rooms with lamps, textures, colour patches.

For tests, benchmarks and trying the program without any data. Everything is a function of the
direction of view, so nothing has a seam or a pole.
"""

import functools

import numpy as np

from input_pipeline.datasets.hdr_folder import HALF_MAX

SKIES = ((0.20, 0.45, 1.0), (0.35, 0.55, 0.9), (0.7, 0.75, 0.8), (0.9, 0.5, 0.3))
SUN_ANGLE = 0.02  # radius, radians; larger than the real one to span a few pixels
TEXTURE_WAVES = 8


def directions(size) -> np.ndarray:
  """Unit vectors of an equirectangular panorama's pixels: float32 [3, H, W]; right, up, ahead."""
  height, width = size
  latitude = np.pi * (0.5 - (np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
  longitude = 2 * np.pi * ((np.arange(width, dtype=np.float32) + 0.5) / width - 0.5)
  return np.stack(
    [
      np.cos(latitude) * np.sin(longitude),
      np.sin(latitude) * np.ones_like(longitude),
      np.cos(latitude) * np.cos(longitude),
    ]
  ).astype(np.float32)


def unit(rng: np.random.Generator, *, up: tuple[float, float]) -> np.ndarray:
  """A random direction [3] whose upward component is drawn from the range `up`."""
  y, angle = rng.uniform(*up), rng.uniform(0, 2 * np.pi)
  level = np.sqrt(1 - y * y)
  return np.array([level * np.sin(angle), y, level * np.cos(angle)], np.float32)


def texture(rng: np.random.Generator, rays: np.ndarray, *, contrast: float) -> np.ndarray:
  """A positive pattern [H, W] about 1: the exponential of a few random waves."""
  frequencies = np.exp(rng.uniform(np.log(2.0), np.log(40.0), TEXTURE_WAVES))
  waves = np.stack([f * unit(rng, up=(-1, 1)) for f in frequencies]).astype(np.float32)
  phases = rng.uniform(0, 2 * np.pi, (TEXTURE_WAVES, 1)).astype(np.float32)
  total = np.sin(waves @ rays.reshape(3, -1) + phases).sum(axis=0).reshape(rays.shape[1:])
  return np.exp(np.float32(contrast / np.sqrt(TEXTURE_WAVES / 2)) * total)


def around(rays: np.ndarray, centre: np.ndarray) -> np.ndarray:
  """Squared chord [H, W] from `centre` [3]: 0 there, the angle squared nearby, 4 opposite."""
  return 2 - 2 * (centre @ rays.reshape(3, -1)).reshape(rays.shape[1:])


def patches(rng: np.random.Generator, rays: np.ndarray, scene: np.ndarray, count: int):
  """Paints round patches of one colour each over `scene` [H, W, 3], lit like their centres."""
  for _ in range(count):
    inside = around(rays, unit(rng, up=(-0.7, 0.4))) < rng.uniform(0.05, 0.3) ** 2
    if inside.any():
      scene[inside] = rng.uniform(0.03, 0.9, 3) * np.median(scene[inside])


def outdoors(rng: np.random.Generator, rays: np.ndarray) -> np.ndarray:
  """A sky that brightens to the horizon and the sun, and textured ground with objects."""
  sky = np.array(SKIES[rng.integers(len(SKIES))], np.float32)
  sun = unit(rng, up=(0.05, 0.8))
  chord = around(rays, sun)
  haze = np.exp(-np.abs(rays[1]) / 0.3)[..., None]
  clouds = texture(rng, rays, contrast=rng.uniform(0.1, 0.6))[..., None]
  above = (sky * (1 - haze) + haze) * clouds
  above += np.float32(rng.uniform(1, 8)) * np.exp(-chord / 0.02)[..., None]
  soil = rng.uniform(0.1, 0.3) * rng.uniform(0.6, 1.4, 3)
  soil = soil * texture(rng, rays, contrast=rng.uniform(0.3, 0.9))[..., None]
  scene = np.where((rays[1] > 0)[..., None], above, soil).astype(np.float32)
  patches(rng, rays, scene, int(rng.integers(4, 12)))
  disc = chord < SUN_ANGLE**2
  disc.flat[np.argmin(chord)] = True
  scene[disc] = np.array([1.0, 0.9, 0.75]) * 2.0 ** rng.uniform(11, 14)
  return scene


def indoors(rng: np.random.Generator, rays: np.ndarray) -> np.ndarray:
  """A dim textured room, lamps of several colours and sizes with their light on the walls."""
  wall = rng.uniform(0.3, 0.9, 3).astype(np.float32)
  scene = np.float32(0.02) * wall * texture(rng, rays, contrast=rng.uniform(0.3, 1.0))[..., None]
  lamps = []
  for _ in range(int(rng.integers(2, 6))):
    chord = around(rays, unit(rng, up=(-0.2, 0.8)))
    colour = np.array([1.0, rng.uniform(0.6, 1.0), rng.uniform(0.3, 1.0)], np.float32)
    reach = np.float32(rng.uniform(0.05, 0.4))
    scene += wall * colour * (0.3 * reach / (chord + reach))[..., None]
    lamps.append((chord, colour, rng.uniform(0.02, 0.12), 2.0 ** rng.uniform(5, 10)))
  patches(rng, rays, scene, int(rng.integers(4, 12)))
  # A gap without light: interiors have black corners.
  scene *= np.clip(around(rays, unit(rng, up=(-0.9, -0.3))) / 0.3, 0.01, 1.0)[..., None]
  for chord, colour, radius, power in lamps:
    disc = chord < radius**2
    disc.flat[np.argmin(chord)] = True
    scene[disc] = colour * np.float32(power)
  return scene


class ProceduralScenes:
  """`count` made-up scenes; `source[i]` is a scene for `photograph.photograph`, as of `HdrFolder`.

  Scene i depends on `seed` and i alone. `size` is (H, W) of the panoramas, W = 2 H.
  """

  def __init__(self, count: int, *, seed: int, size: tuple[int, int] = (128, 256)):
    if count < 1 or size[1] != 2 * size[0]:
      raise ValueError(f"count {count} must be positive and size {size} twice as wide as high")
    self._count, self._seed, self._size = count, seed, tuple(size)

  def fingerprint(self, index: int) -> str:
    """What a scene depends on."""
    return f"procedural {self._seed} {range(self._count)[index]} {self._size[0]}x{self._size[1]}"

  def __len__(self) -> int:
    return self._count

  def __getitem__(self, index: int) -> dict:
    index = range(self._count)[index]
    radiance = _panorama(self._seed, index, self._size)
    return {"radiance": radiance, "panorama": True, "name": f"procedural_{index:05d}"}

  def read(self, index: int) -> dict:
    """`hdr` [H, W, 3] and `name`."""
    scene = self[index]
    return {"hdr": scene["radiance"], "name": scene["name"]}


@functools.lru_cache(maxsize=512)  # 0.2 MB each at 128 x 256
def _panorama(seed: int, index: int, size: tuple[int, int]) -> np.ndarray:
  make = outdoors if index % 2 == 0 else indoors
  radiance = make(np.random.default_rng([seed, index]), directions(size))
  return np.clip(radiance, 0.0, HALF_MAX).astype(np.float16)
