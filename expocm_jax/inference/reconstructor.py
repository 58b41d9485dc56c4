"""From an LDR array to an HDR array: tiles, steps and samples."""

import collections
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from ml_collections import ConfigDict

from expocm_jax.checkpoints import pretrained
from expocm_jax.errors import UserError
from expocm_jax.inference import noise, photo_statistics, tiling
from expocm_jax.method import schedules
from expocm_jax.method.expocm import Condition, Method
from expocm_jax.method.masks import ExposureLevels
from expocm_jax.network.conditioning import PhotoContext

IN_FLIGHT = 2  # windows on the device while the host prepares the next


class Reconstruction(NamedTuple):
  """What several draws of the noise say about one image."""

  hdr: np.ndarray  # [H, W, 3] float32, relative radiance in [0, headroom]
  std: np.ndarray | None  # the same shape and unit: spread of the samples; None for one sample


class _Moments(NamedTuple):
  """Running statistics of the samples of one tile, each [h, w, 3]; after Welford."""

  x: Array  # mean of the estimates in the mu-law domain
  hdr: Array  # mean of their radiances
  square: Array  # sum of squared deviations of their radiances


class Reconstructor:
  """Turns photographs into HDR images with one set of parameters.

  The memory on the device is bounded by one window of at most `max_tile` pixels a side with its
  halo, whatever the image's size; each window shape is compiled once.

  Raises UserError for the parameters of the diffusion baseline.
  """

  def __init__(self, config: ConfigDict, params: Any, *, max_tile: int = tiling.TILE_SIZES[-1]):
    self.method = Method.from_config(config)
    if self.method.objective != "consistency":
      raise UserError(
        f"config.objective={self.method.objective}: a baseline for comparisons, which needs whole "
        "images in memory and many steps; it runs in --mode=evaluate alone"
      )
    self.params = jax.device_put(params)
    self._max_tile = max_tile
    self._step = jax.jit(functools.partial(_step, self.method))
    self._add_sample = jax.jit(functools.partial(_add_sample, self.method), static_argnames="halo")
    self._finish = jax.jit(functools.partial(_finish, self.method))

  @classmethod
  def from_pretrained(cls, name_or_path: str | os.PathLike = "tiny", **options) -> "Reconstructor":
    """From shipped weights by name, a weights file, or the folder of a run or of one checkpoint.

    No config file is needed; `options` are those of the constructor. Raises UserError when there
    is nothing of that name or it cannot be used.
    """
    config, params = pretrained.load(name_or_path)
    return cls(config, params, **options)

  def __call__(self, ldr: np.ndarray, **options) -> np.ndarray:
    """The HDR image of `ldr` alone; options, result and errors are those of `reconstruct`."""
    return self.reconstruct(ldr, **options).hdr

  def reconstruct(
    self,
    ldr: np.ndarray,
    *,
    seed: int = 0,
    steps: int = 1,
    samples: int = 1,
    on_tile: Callable[[int, int], None] | None = None,
  ) -> Reconstruction:
    """The HDR image of `ldr`, and with several samples their spread.

    Args:
      ldr: [H, W, 3] display-referred sRGB: floats in [0, 1], uint8 or uint16.
      seed: of the noise, which is a function of seed and pixel position.
      steps: network calls a sample: from t = 1, then from ever smaller times after noising the
        estimate again (multistep consistency sampling).
      samples: draws of the noise. The estimates are averaged in the mu-law domain, where errors
        are about equally visible; the standard deviation is that of the radiances.
      on_tile: called with (tiles finished, tiles in all).

    Returns:
      Float32 relative radiance: linear, BT.709, 1.0 = where the photo clips.

    Raises:
      ValueError: an array of another shape, type or range, or steps or samples below one.
    """
    ldr = photo_statistics.checked(ldr)
    if min(steps, samples) < 1:
      raise ValueError(f"steps and samples are at least 1, not {steps} and {samples}")
    layout = tiling.layout(
      *ldr.shape[:2],
      steps * self.method.receptive_radius,
      stride=self.method.stride,
      max_tile=self._max_tile,
    )
    levels, context = photo_statistics.measure(ldr, self.method)
    keys = [jax.random.fold_in(jax.random.key(seed), sample) for sample in range(samples)]
    times = schedules.inference_times(steps)

    def tile(corner: tuple[int, int]) -> tuple[Array, Array]:
      """(hdr, std) of one tile, still being computed when this returns."""
      rows, columns = layout.window_indices(corner)
      window = jax.device_put(photo_statistics.as_float(ldr[np.ix_(rows, columns)]))
      seen = context._replace(rows=context.rows[rows], columns=context.columns[columns])
      origin = np.array(corner, np.int32) - np.int32(layout.halo)
      moments = _Moments(*[np.zeros((*layout.tile, 3), np.float32)] * 3)
      for count, key in enumerate(keys, 1):
        x = window  # without influence at t = 1
        for step, t in enumerate(times):
          noise_key = jax.random.fold_in(key, step)
          time = np.full(1, t, np.float32)
          x = self._step(self.params, x, time, window, levels, seen, noise_key, origin)
        moments = self._add_sample(moments, np.float32(count), x, halo=layout.halo)
      return self._finish(moments, np.float32(samples))

    hdr = np.empty(ldr.shape, np.float32)
    std = np.empty(ldr.shape, np.float32) if samples > 1 else None
    corners = layout.corners
    tiles = _ahead(map(tile, corners), IN_FLIGHT)
    for finished, ((row, column), parts) in enumerate(zip(corners, tiles, strict=True), 1):
      for image, part in zip((hdr, std), parts, strict=True):
        if image is not None:
          target = image[row : row + layout.tile[0], column : column + layout.tile[1]]
          target[...] = np.asarray(part)[: target.shape[0], : target.shape[1]]
      if on_tile is not None:
        on_tile(finished, len(corners))
    return Reconstruction(hdr, std)


def _ahead(items: Iterable, count: int) -> Iterator:
  """The items, each one started `count` items before it is handed on."""
  started = collections.deque()
  for item in items:
    started.append(item)
    if len(started) > count:
      yield started.popleft()
  yield from started


def _step(
  method: Method,
  params: Any,
  x: Array,
  t: Array,
  ldr: Array,
  levels: ExposureLevels,
  context: PhotoContext,
  key: Array,
  origin: Array,
) -> Array:
  """One network call on a window [rows, columns, 3]: the estimate of x0 from x noised to t."""
  ldr, x = ldr[None], x[None]
  eps = noise.noise_window(key, origin, ldr.shape[1:3])[None]
  exposure = method.masks_from_levels(ldr, levels)
  condition = Condition(method.encode_ldr(ldr), context)
  return method.sampling_step(params, x, condition, eps, t, exposure)[0]


def _add_sample(
  method: Method, moments: _Moments, count: Array, x: Array, *, halo: int
) -> _Moments:
  """The statistics with the `count`-th estimate, counted from one, of a window's x0."""
  x = jnp.clip(x[halo:-halo, halo:-halo], 0.0, 1.0)
  change = method.decode(x) - moments.hdr
  return _Moments(
    moments.x + (x - moments.x) / count,
    moments.hdr + change / count,
    moments.square + change**2 * ((count - 1.0) / count),
  )  # exactly 0 at first


def _finish(method: Method, moments: _Moments, count: Array) -> tuple[Array, Array]:
  """(hdr, std) of a tile, std being zero for a single sample."""
  variance = moments.square / jnp.maximum(count - 1.0, 1.0)
  return method.decode(moments.x), jnp.sqrt(variance)
