"""Everything that changes over a run, as pure functions of the step: nothing of it is saved.

A discretisation with N steps has the times t_n = n / (N - 1), n = 0 ... N - 1; a training pair
is (t_n, t_{n-1}). Curricula tell N (or the ratio t'/t) at step k of K.
"""

import math

import jax
import jax.numpy as jnp


def fixed_steps(step: jax.Array, *, n: int) -> jax.Array:
  """N(k) = n: few steps throughout, after CTMSR (ICCV 2025)."""
  return jnp.full_like(step, n)


def original_steps(step: jax.Array, *, total: int, n_start: int, n_end: int) -> jax.Array:
  """N(k) = ceil(sqrt(k/K ((s1 + 1)^2 - s0^2) + s0^2) - 1) + 1, Song et al. 2023, appendix C."""
  share = step.astype(jnp.float32) / float(total)
  square = share * float((n_end + 1) ** 2 - n_start**2) + float(n_start**2)
  return (jnp.ceil(jnp.sqrt(square) - 1.0) + 1.0).astype(jnp.int32)


def improved_steps(step: jax.Array, *, total: int, n_start: int, n_end: int) -> jax.Array:
  """N(k) = min(s0 2^floor(k / K'), s1) + 1, K' = floor(K / (log2 floor(s1/s0) + 1)).

  Song and Dhariwal 2023, eq. 9.
  """
  period = max(1, math.floor(total / (math.log2(n_end // n_start) + 1.0)))
  # Capped where N no longer grows, or the power would overflow in a run longer than `total`.
  doublings = jnp.minimum(step // period, math.ceil(math.log2(n_end / n_start)))
  return jnp.minimum(n_start * 2**doublings, n_end).astype(jnp.int32) + 1


def continuous_ratio(step: jax.Array, *, total: int, doublings: int) -> jax.Array:
  """r(k) of t' = r t: 0, 1/2, 3/4, ...; the gap halves `doublings` times over the run."""
  stage = jnp.floor(step.astype(jnp.float32) / float(total) * float(doublings + 1))
  return 1.0 - jnp.exp2(-jnp.minimum(stage, float(doublings)))


def target_rate(n: jax.Array, *, n_start: int, initial: float) -> jax.Array:
  """EMA rate of the target network for N = n: exp(s0 ln mu0 / N), Song et al. 2023."""
  return jnp.exp(float(n_start) * math.log(initial) / n.astype(jnp.float32))


def discrete_pairs(key: jax.Array, batch: int, n: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Draws (t, t') = (t_i, t_{i-1}), i uniform in 1 ... n - 1; both [batch] float32."""
  last = (n - 1).astype(jnp.float32)
  index = 1.0 + jnp.floor(jax.random.uniform(key, (batch,)) * last)
  index = jnp.minimum(index, last)  # a draw that rounds up to one
  return index / last, (index - 1.0) / last


def continuous_pairs(key: jax.Array, batch: int, ratio: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Draws (t, ratio t), t uniform in (0, 1]; both [batch] float32."""
  t = 1.0 - jax.random.uniform(key, (batch,))
  return t, ratio * t


def anchor_pairs(
  t: jax.Array, t_prev: jax.Array, *, fraction: float
) -> tuple[jax.Array, jax.Array]:
  """Replaces a share of the pairs by (1, 0): supervision of the end point by x0 itself.

  The share is spread evenly over the batch, so that every device gets as much of it.
  """
  position = jnp.arange(t.shape[0], dtype=jnp.float32)
  # Bresenham's line: floor(fraction (i + 1)) - floor(fraction i) is 1 for that share of all i.
  anchored = jnp.floor((position + 1.0) * fraction) > jnp.floor(position * fraction)
  return jnp.where(anchored, 1.0, t), jnp.where(anchored, 0.0, t_prev)


def inference_times(steps: int) -> tuple[float, ...]:
  """The times at which a sampler of `steps` calls visits f: 1, ..., 1 / steps."""
  return tuple(i / steps for i in range(steps, 0, -1))
