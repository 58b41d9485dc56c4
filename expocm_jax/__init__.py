"""ExpoCM in JAX: an HDR image from one ordinary photo, in one network step.

Reading order with the paper (arXiv 2605.02464) in hand:
`masks` -> `trajectories` -> `consistency` -> `losses` -> `schedules`.
"""

__version__ = "0.4.0"
