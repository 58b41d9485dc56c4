"""AdamW with one cosine decay a phase, and exponential moving averages of parameters."""

import jax
import optax
from ml_collections import ConfigDict


def learning_rate(config: ConfigDict) -> optax.Schedule:
  """Learning rate of the step: warm-up and cosine in phase I, a second cosine in phase II."""
  optim, train = config.optim, config.train
  warmup = min(optim.warmup_steps, train.phase1_steps // 2)
  phase1 = optax.warmup_cosine_decay_schedule(
    init_value=optim.peak_lr if warmup == 0 else 0.0,
    peak_value=optim.peak_lr,
    warmup_steps=warmup,
    decay_steps=max(train.phase1_steps, 1),
    end_value=optim.final_lr,
  )
  phase2 = optax.cosine_decay_schedule(
    optim.phase2_lr, max(train.phase2_steps, 1), alpha=optim.final_lr / optim.phase2_lr
  )
  return optax.join_schedules([phase1, phase2], [train.phase1_steps])


def make_optimizer(config: ConfigDict) -> optax.GradientTransformation:
  """AdamW [P] after an optional clip of the gradient's global norm [C]."""
  optim = config.optim
  adamw = optax.adamw(
    learning_rate(config), b1=optim.b1, b2=optim.b2, weight_decay=optim.weight_decay
  )
  if optim.grad_clip <= 0:
    return adamw
  return optax.chain(optax.clip_by_global_norm(optim.grad_clip), adamw)


def moving_average(average: dict, params: dict, decay: jax.Array | float) -> dict:
  """decay * average + (1 - decay) * params, leaf by leaf."""
  return jax.tree.map(lambda a, p: a + (1.0 - decay) * (p - a), average, params)


def warm_decay(decay: float, step: jax.Array) -> jax.Array:
  """min(decay, (1 + step) / (10 + step)): a young average forgets its random start quickly."""
  step = step.astype("float32")
  return jax.numpy.minimum(decay, (1.0 + step) / (10.0 + step))
