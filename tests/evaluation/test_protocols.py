"""Protocols against plain float64 numpy, one image at a time."""

import jax
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.evaluation import protocols
from expocm_jax.evaluation.crf_correction import correct_response

pytestmark = pytest.mark.usefixtures("quick_compiles")
align = jax.jit(protocols.align, static_argnames="alignment")
rescale = jax.jit(protocols.rescale, static_argnames=("base", "headroom"))
SHAPE = (2, 20, 25, 3)  # 1500 values: 0.1 % is one, and percentile 99 lies between two


def normalise(name, pred, ref, ldr):
  """Both on the scale of a protocol, by two compiled functions, which the protocols share."""
  base, alignment = protocols.parse(name)
  return rescale(align(pred, ref, ldr, alignment=alignment), ref, base=base, headroom=16.0)


def images(seed=0):
  """A darker prediction, a reference with a black row, and its LDR."""
  rng = np.random.default_rng(seed)
  ref = rng.gamma(0.5, 2.0, SHAPE)
  ref[:, 0] = 0
  pred = ref * rng.uniform(0.4, 0.8, SHAPE) + 0.01
  ldr = np.round(255 * np.clip(ref, 0, 1) ** (1 / 2.2)) / 255
  return [x.astype(np.float32) for x in (pred, ref, ldr)]


def expected(base, pred, ref):
  """The normaliser `base` on two float64 images [H, W, 3] (or lists of pixels)."""
  if base == "headroom":
    return np.clip(pred / 16, 0, 1), np.clip(ref / 16, 0, 1)
  if base == "mu-refmax":
    return pred / ref.max(), ref / ref.max()
  if base == "ntire21":
    return np.tanh(pred / np.percentile(ref, 99)), np.tanh(ref / np.percentile(ref, 99))
  results = []
  for image in (pred, ref):
    ordered = np.sort(image, axis=None)
    k = max(image.size // 1000, 1)
    low, high = ordered[k - 1], ordered[-k]
    results.append(np.maximum((image - low) * 998 / (high - low + 1e-8) + 1, 0) / 999)
  return results


def gain(pred, ref, ldr):
  unclipped = ldr.max(axis=-1) < 253.5 / 255
  return np.sum(pred[unclipped] * ref[unclipped]) / np.sum(pred[unclipped] ** 2)


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_normalised_images_match_numpy(name):
  pred, ref, ldr = images()
  base, _, alignment = name.partition("+")
  got = normalise(name, pred, ref, ldr)
  aligned = np.asarray(jax.jit(correct_response)(pred, ref)) if alignment == "crf" else pred
  for index in range(len(pred)):
    p, r, y = (np.float64(x[index]) for x in (aligned, ref, ldr))
    p = p * gain(p, r, y) if alignment == "gain" else p
    for image, wanted in zip(got, expected(base, p, r), strict=True):
      np.testing.assert_allclose(image[index], wanted, rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_black_and_flat_images_stay_finite(name):
  _, ref, ldr = images()
  black, flat = np.zeros_like(ref), np.full_like(ref, 0.3)
  for pred, target in ((black, ref), (ref, black), (flat, flat)):
    for image in normalise(name, pred, target, ldr):
      assert np.isfinite(image).all()


def test_gain_undoes_an_exposure_and_sees_no_clipped_pixel():
  _, ref, ldr = images()
  name = "mu-refmax+gain"
  clipped = ldr.max(axis=-1, keepdims=True) >= 253.5 / 255
  for pred in (0.1 * ref, np.where(clipped, 7.0, 0.1 * ref).astype(np.float32)):
    got, wanted = normalise(name, pred, ref, ldr)
    seen = np.broadcast_to(~clipped, got.shape)
    np.testing.assert_allclose(got[seen], wanted[seen], rtol=1e-5)
  white = np.ones_like(ldr)  # no pixel to align on: the prediction stays as it is
  got, _ = normalise(name, ref, ref, white)
  np.testing.assert_array_equal(got, normalise(name, ref, ref, ldr)[1])


def test_names():
  assert len(protocols.PROTOCOLS) == len(set(protocols.PROTOCOLS)) == 12
  for name in protocols.PROTOCOLS:
    assert "+".join(filter(None, protocols.parse(name))) == name
    text = protocols.describe(name, headroom=16.0, mu=300.0)
    assert text.endswith("1000 cd/m2.") and "\n" not in text
    assert "mu = 300;" in text and ("median" in text) == name.endswith("+crf")
  texts = {protocols.describe(n, headroom=16.0, mu=5e3) for n in protocols.PROTOCOLS}
  assert len(texts) == 12
  for wrong in ("reinhard", "headroom+", "+gain", "headroom+gain+crf"):
    with pytest.raises(UserError, match="unknown; choose from headroom, headroom.gain, "):
      protocols.parse(wrong)
