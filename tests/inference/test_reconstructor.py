"""Reconstruction by tiles: the result belongs to the photo, not to the tiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from expocm_jax.inference import photo_statistics
from expocm_jax.inference.noise import noise_window
from expocm_jax.inference.reconstructor import Reconstructor
from expocm_jax.method import masks
from expocm_jax.method.expocm import Condition, Method
from expocm_jax.network.conditioning import pixel_centres
from tests.support import small_network

pytestmark = pytest.mark.usefixtures("quick_compiles")
NETWORKS = {"plain": {}, "folded": {"patch": 2}}
LDR = small_network.photo()


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
  config = small_network.config(**NETWORKS[request.param])
  return config, small_network.params(config)


@pytest.fixture(scope="module")
def small(network):
  return Reconstructor(*network, max_tile=64)


@pytest.fixture(scope="module")
def untiled(network):
  """The definition: the photo, widely reflected, through the method at once."""
  config, params = network
  method = Method.from_config(config)
  margin = 2 * 4 * -(-method.receptive_radius // 4)  # two steps, on the network's grid
  edges = [(margin, margin + extra) for extra in (3, 5)]
  wide = np.pad(LDR, (*edges, (0, 0)), mode="reflect")[None]

  @jax.jit
  def call(x, t, key):
    levels = masks.exposure_levels(LDR[None], q_lo=method.q_lo, q_hi=method.q_hi)
    noise = noise_window(key, jnp.full(2, -margin, jnp.int32), wide.shape[1:3])[None]
    exposure = method.masks_from_levels(wide, levels)
    context = method.condition(LDR[None]).context._replace(
      rows=np.pad(pixel_centres(77), (margin, margin + 3), mode="reflect"),
      columns=np.pad(pixel_centres(131), (margin, margin + 5), mode="reflect"),
    )
    condition = Condition(method.encode_ldr(wide), context)
    return method.sampling_step(params, x, condition, noise, t, exposure)

  def run(steps, seed):
    x, key = wide, jax.random.fold_in(jax.random.key(seed), 0)
    for step in range(steps):
      t = jnp.full(1, 1.0 - step / steps)
      x = call(x, t, jax.random.fold_in(key, step))
    return np.asarray(method.decode(x))[0, margin : -margin - 3, margin : -margin - 5]

  return run


@pytest.mark.parametrize("steps", [1, 2])
def test_tiled_equals_untiled(small, untiled, steps):
  expected = untiled(steps, 5)
  assert expected.std() > 0.05  # or the comparison would show nothing
  np.testing.assert_allclose(small(LDR, seed=5, steps=steps), expected, rtol=2e-4, atol=2e-5)


def test_a_pixel_reaches_far_but_not_beyond_the_halo(small, monkeypatch):
  unchanged = photo_statistics.measure(LDR, small.method)
  monkeypatch.setattr(photo_statistics, "measure", lambda ldr, method: unchanged)
  changed = LDR.copy()
  changed[38, 65] = 1.0 - LDR[38, 65]
  row, column = np.nonzero(np.abs(small(changed) - small(LDR)).max(-1))
  distance = np.maximum(np.abs(row - 38), np.abs(column - 65)).max()
  assert 8 < distance <= small.method.receptive_radius


@pytest.mark.parametrize("without", ["tone_bins", "tone_cells"])
def test_curve_and_grid_are_those_of_the_whole_photo(without):
  config = small_network.config(**{without: 0})
  small = Reconstructor(config, small_network.params(config), max_tile=64)
  changed = LDR.copy()
  changed[:9] **= 0.5  # brighter mid-tones at the top: same percentiles, up to the noise
  far = slice(9 + small.method.receptive_radius, None)
  assert (small(changed)[far] != small(LDR)[far]).mean() > 0.2  # the others lie at 0 or 16


def test_codes_and_floats_give_the_same(small):
  codes = np.round(255 * LDR).astype(np.uint8)
  np.testing.assert_allclose(small(codes), small(np.float32(codes) / 255), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def plain():
  config = small_network.config()
  return Reconstructor(config, small_network.params(config), max_tile=64)


def test_one_trace_a_window_shape(plain, monkeypatch):
  plain(LDR)
  monkeypatch.setattr(Method, "denoise", None)  # would be called by a further trace
  for image in (LDR, LDR[:40], LDR[:, :1], LDR[:1, :1], np.uint8(255 * LDR)):
    plain(image, samples=2, seed=7)


def test_seed_and_samples(plain):
  one = plain(LDR, seed=1)
  np.testing.assert_array_equal(one, plain(LDR, seed=1))
  assert np.abs(one - plain(LDR, seed=2)).mean() > 1e-3
  seen = []
  result = plain.reconstruct(LDR, seed=1, samples=3, on_tile=lambda *count: seen.append(count))
  assert seen == [(count, 6) for count in range(1, 7)]
  assert result.hdr.dtype == result.std.dtype == np.float32
  assert result.std.min() >= 0 and 1e-3 < result.std.mean() < 16
  assert plain.reconstruct(LDR).std is None


def test_mean_and_deviation_are_numpys(plain, monkeypatch):
  estimates = []
  add_sample = plain._add_sample

  def spy(moments, count, x, *, halo):
    estimates.append(np.asarray(x, np.float64)[halo:-halo, halo:-halo].clip(0, 1))
    return add_sample(moments, count, x, halo=halo)

  monkeypatch.setattr(plain, "_add_sample", spy)
  result = plain.reconstruct(LDR[:64, :64], samples=4)
  radiance = 16 * np.expm1(np.stack(estimates) * np.log1p(5000)) / 5000
  mean = 16 * np.expm1(np.mean(estimates, 0) * np.log1p(5000)) / 5000
  np.testing.assert_allclose(result.hdr, mean, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(result.std, radiance.std(0, ddof=1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_other_types_mean_the_same(plain, dtype):
  top = np.iinfo(dtype).max if dtype != np.float64 else 1
  stored = np.round(LDR * 255) / 255
  image = np.round(stored * top).astype(dtype) if top > 1 else stored.astype(dtype)
  np.testing.assert_allclose(plain(image[:50, :50]), plain(stored[:50, :50]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  "image, problem",
  [
    (np.zeros((4, 4)), "H, W, 3"),
    (np.zeros((4, 4, 4)), "H, W, 3"),
    (np.zeros((0, 4, 3)), "H, W, 3"),
    (np.zeros((4, 4, 3), int), "uint8"),
    (np.full((4, 4, 3), np.nan), "nan"),
    (np.full((4, 4, 3), 255.0), "1/255"),
    (np.full((4, 4, 3), -0.1), "0.1"),
  ],
)
def test_arrays_that_are_no_photo(plain, image, problem):
  with pytest.raises(ValueError, match=problem):
    plain(image)


def test_steps_and_samples_are_at_least_one(plain):
  for option in ({"steps": 0}, {"samples": 0}):
    with pytest.raises(ValueError, match="at least 1"):
      plain(LDR, **option)
