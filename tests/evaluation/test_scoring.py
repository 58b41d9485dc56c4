import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from expocm_jax.errors import UserError
from expocm_jax.evaluation import protocols, scoring
from expocm_jax.ops import color, lpips, metrics, regions, tone_curves

pytestmark = pytest.mark.usefixtures("quick_compiles")
REGIONAL = scoring.REGION_METRICS
FAST = REGIONAL + scoring.RADIANCE_METRICS
LIGHT = ("light/clipped", "peak/all", "texture/clipped")
FIDELITY = ("fidelity/well_exposed", "fidelity_p99/well_exposed")
NAMES = ("headroom", "headroom+crf", "mu-refmax+gain", "singlehdr-p3")


def images(size=(16, 18)):
  """Two predictions, the reference and its LDR; the second image has dark pixels only."""
  rng = np.random.default_rng(0)
  ref = rng.gamma(0.6, 1.0, (2, *size, 3)).astype(np.float32)
  ref[1] = 0.001 + 0.005 * rng.uniform(0, 1, ref[1].shape)
  display = np.asarray(color.linear_to_srgb(np.clip(ref, 0, 1)))
  ldr = (np.round(255 * display) / 255).astype(np.float32)
  noisy = ref * rng.uniform(0.8, 1.2, ref.shape).astype(np.float32)
  return {"input": np.asarray(color.srgb_to_linear(ldr)), "noisy": noisy}, ref, ldr


def comparison(protocol_names, metric_names):
  domain = ConfigDict({"headroom": 16.0, "mu": 5000.0})
  return scoring.Comparison({}, domain, protocol_names=protocol_names, metric_names=metric_names)


def scores_of(protocol_names, metric_names, preds, ref, ldr):
  """Scores of a batch, {method: {protocol: {key: [B]}}}."""
  compare = comparison(protocol_names, metric_names)
  each = [
    compare.score({method: pred[i] for method, pred in preds.items()}, ref[i], ldr[i])
    for i in range(len(ref))
  ]
  return {
    m: {p: {key: np.array([s[m][p][key] for s in each]) for key in each[0][m][p]}
        for p in protocol_names} for m in preds
  }  # fmt: skip


@pytest.fixture(scope="module")
def scored():
  return scores_of(NAMES, FAST, *images())


def test_every_method_protocol_metric_and_region(scored):
  assert list(scored) == ["input", "noisy"]
  keys = {f"{metric}/{region}" for metric in REGIONAL for region in regions.REGIONS}
  keys |= {*LIGHT, *FIDELITY}
  for of_method in scored.values():
    assert list(of_method) == list(NAMES)
    for scores in of_method.values():
      assert set(scores) == keys
      assert all(value.shape == (2,) for value in scores.values())
      for metric in REGIONAL:  # the second image has dark pixels only
        assert np.isfinite(scores[f"{metric}/all"]).all()
        assert np.isfinite(scores[f"{metric}/dark"][1])
        assert np.isnan(scores[f"{metric}/clipped"][1])


def test_scores_are_the_metrics_of_the_normalised_images(scored):
  preds, ref, ldr = images()

  @jax.jit
  def expected(pred):
    pred = protocols.align(pred, ref, ldr, alignment="gain")
    pair = protocols.rescale(pred, ref, base="mu-refmax", headroom=16.0)
    encoded = [tone_curves.mu_law(x, mu=5000.0) for x in pair]
    weights = regions.exposure_regions(jnp.asarray(ldr))["clipped"]
    nits, shown = [1000.0 * x for x in pair], [jnp.clip(x, 0, 1) for x in encoded]
    return {
      "psnr_mu": metrics.psnr(*encoded, peak=1.0, weights=weights),
      "ssim_mu": metrics.ssim(*encoded, peak=1.0, weights=weights),
      "pu21_psnr": metrics.pu21_psnr(*nits, weights=weights),
      "pu21_ssim": metrics.pu21_ssim(*nits, weights=weights),
      "delta_e_2000": metrics.delta_e_2000_mean(*shown, weights=weights),
    }

  values = expected(preds["input"])
  assert set(values) == set(scoring.REGION_METRICS)
  for metric, value in values.items():
    got = scored["input"]["mu-refmax+gain"][f"{metric}/clipped"]
    np.testing.assert_allclose(got, value, rtol=2e-5, err_msg=metric)


def test_light_is_of_the_aligned_radiance_up_to_the_headroom_and_fidelity_of_the_result(scored):
  preds, ref, ldr = images()
  assert ref.max() < 16
  (sunny,), sun = ref[:1].copy(), ref[0].copy()
  sunny[3:5, 3:5], sun[3:5, 3:5] = 16.0, 500.0  # beyond the domain
  white = np.ones_like(ldr[0])
  compare = comparison(["headroom", "mu-refmax+gain"], ["light", "peak"])
  values = compare.score({"a": sunny}, sun, white)["a"]["headroom"]
  assert values == {"light/clipped": 0.0, "peak/all": 0.0}
  weights = regions.exposure_regions(jnp.asarray(ldr))["clipped"]
  aligned = jnp.minimum(protocols.align(preds["noisy"], ref, ldr, alignment="gain"), 16.0)
  light = metrics.light_bias(aligned, ref, weights=weights)
  wanted = light, metrics.peak_bias(aligned, ref), metrics.texture(aligned, ref, weights=weights)
  for key, value in zip(LIGHT, wanted, strict=True):
    np.testing.assert_allclose(scored["noisy"]["mu-refmax+gain"][key], value, atol=2e-5)
  fidelity = metrics.fidelity(preds["noisy"], ldr)
  for protocol in NAMES:
    for key, value in zip(FIDELITY, fidelity, strict=True):
      np.testing.assert_allclose(scored["noisy"][protocol][key], value, rtol=1e-4)
  np.testing.assert_array_equal(
    [scored["noisy"]["singlehdr-p3"][key] for key in LIGHT],
    [scored["noisy"]["headroom"][key] for key in LIGHT],
  )


def test_lpips_is_of_the_mu_law_image_and_compiled_once_for_all_protocols():
  preds, ref, ldr = images((32, 32))
  scoring._features.clear_cache()
  got = scores_of(["mu-refmax", "ntire21"], ["lpips_alex", "psnr_mu"], preds, ref, ldr)
  assert scoring._features._cache_size() == 1
  assert set(got["input"]["ntire21"]) == {"lpips_alex/all"} | {
    f"psnr_mu/{region}" for region in regions.REGIONS
  }
  peak = ref.max(axis=(1, 2, 3), keepdims=True)
  encoded = [tone_curves.mu_law(jnp.asarray(x / peak), mu=5000.0) for x in (preds["noisy"], ref)]
  scores = got["noisy"]["mu-refmax"]
  np.testing.assert_allclose(scores["psnr_mu/all"], metrics.psnr(*encoded, peak=1.0), rtol=1e-5)
  network = lpips.Lpips.load("alex")
  wanted = jax.jit(lpips.Lpips.__call__)(network, *(jnp.clip(x, 0, 1) for x in encoded))
  np.testing.assert_allclose(scores["lpips_alex/all"], wanted, atol=1e-6)


def test_mistakes_are_told_in_one_line():
  with pytest.raises(UserError, match="metric 'fid': unknown; choose from psnr_mu, ssim_mu"):
    comparison(NAMES, ["fid"])
  with pytest.raises(UserError, match="protocol 'ours': unknown"):
    comparison(["ours"], FAST)
  with pytest.raises(UserError, match="ssim.*10 x 18 pixels is too small"):
    scores_of(NAMES, FAST, *images((10, 18)))
