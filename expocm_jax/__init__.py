"""ExpoCM in JAX: an HDR image from one ordinary photo, in one network step.

Reading order with the paper (arXiv 2605.02464) in hand, all in `method/`:
`masks` -> `eact` -> `consistency` -> `distances` -> `elc` -> `schedules`.
"""

import importlib

__version__ = "0.5.0"

# Public name -> its module, which is imported when the name is first used: JAX takes a second.
_MODULES = {
  "Reconstructor": "inference.reconstructor",
  "consistency_function": "method.consistency",
  "delta_e_2000": "ops.color",
  "eact_state": "method.eact",
  "elc_loss": "method.elc",
  "exposure_masks": "method.masks",
  "linear_to_lab": "ops.color",
  "load_weights": "checkpoints.weights",
  "read_hdr": "image_io",
  "read_ldr": "image_io",
  "write_hdr": "image_io",
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str):
  if name in _MODULES:
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
