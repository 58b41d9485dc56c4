"""The clustered bootstrap: intervals of means over images that are not independent.

Images of one scene are drawn together (Field, Welsh, "Bootstrapping clustered data", JRSS B 2007):
each draw takes as many groups of scenes as there are, with replacement. The interval is that of the
percentiles of the drawn means.
"""

from typing import NamedTuple

import numpy as np

DRAWS = 2000
CONFIDENCE = 0.95


class Draws(NamedTuple):
  """The resampled groups, the same for every score, so that differences are paired."""

  membership: np.ndarray  # [groups, images], 1 where the image belongs to the group
  counts: np.ndarray  # [draws, groups]: how often a draw holds a group


def draw_groups(groups: list[str], *, seed: int, draws: int) -> Draws:
  """`draws` times as many groups as there are, with replacement; `groups` has each image's."""
  names, index = np.unique(groups, return_inverse=True)
  membership = (index == np.arange(len(names))[:, None]).astype(float)
  share = np.full(len(names), 1 / len(names))
  counts = np.random.default_rng(seed).multinomial(len(names), share, size=draws)
  return Draws(membership, counts.astype(float))


def mean(values: np.ndarray, draws: Draws) -> np.ndarray:
  """Mean of values [images, ...], of which NaN are left out, with its interval: as `ratio`."""
  given = ~np.isnan(values)
  return ratio(np.where(given, values, 0), given.astype(float), draws)


def ratio(total: np.ndarray, weight: np.ndarray, draws: Draws) -> np.ndarray:
  """sum(total) / sum(weight) over the images, with its interval.

  Args:
    total, weight: [images, ...], finite; weight >= 0, both 0 where an image has no score.
    draws: of `draw_groups`.

  Returns:
    [3, ...]: the ratio, its low and its high end. NaN where there is none: of the interval where
    fewer than two groups have a score.
  """
  shape = total.shape[1:]
  totals, weights = (draws.membership @ x.reshape(len(x), -1) for x in (total, weight))
  with np.errstate(invalid="ignore", divide="ignore"):
    value = totals.sum(axis=0) / weights.sum(axis=0)
    drawn = (draws.counts @ totals) / (draws.counts @ weights)
  out = np.full((3, *value.shape), np.nan)
  out[0] = value
  tails = 50 * (1 - CONFIDENCE) * np.array([1, -1]) + [0, 100]
  several = (weights > 0).sum(axis=0) >= 2
  # A draw may miss every group with a score; such draws are NaN, and left out.
  out[1:, several] = np.nanpercentile(drawn[:, several], tails, axis=0)
  return out.reshape(3, *shape)
