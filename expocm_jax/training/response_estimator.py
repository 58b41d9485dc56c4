"""Trains the estimator of a photo's response, one process, in minutes: `--mode=train_response`.

What is learnt of a photo is small: its statistics, how often each code occurs, and what each code
stands for. So all photos are taken first, each scene decoded once, and these tables kept. The loss
of a photo is its PSNR-mu, negative, if its codes were linearised by the estimate: the error of the
curve over the photo's codes, beside the error that the right curve would leave (noise, rounding,
JPEG, what is clipped). Photos that are exactly sRGB are among them, with a weight.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm
from jax import Array
from ml_collections import ConfigDict

from expocm_jax.checkpoints import weights
from expocm_jax.colorimetry import srgb_to_linear
from expocm_jax.errors import UserError
from expocm_jax.network import response_estimator as network
from expocm_jax.network.tone_curve import hat_weights
from expocm_jax.training.optimizer import make_optimizer
from input_pipeline.camera import photograph, response
from input_pipeline.camera.photograph import Camera
from input_pipeline.source import MADE_FROM_HDR, make_source

LIMITS = {  # of `config.estimator`: least and most, both allowed
  "bins": (2, 256),
  "slope_levels": (2, 64),
  "knots": (2, 256),
  "features": (1, 4096),
  "dropout": (0, 0.99),
  "views": (1, 10**6),
  "srgb_share": (0, 1),
  "srgb_weight": (1e-3, 1e6),
}
STEPS_A_CALL = 100  # that are compiled together
VIEWS, SIZE = 24, 256  # of each validation scene and camera, and their side, pixels
CODES = network.CODES


def main(config: ConfigDict, *, output: str | os.PathLike) -> dict[str, dict[str, float]]:
  """Writes the weights of an estimator to `output`, and prints `measure` of it.

  Raises:
    UserError: a config without the section `estimator`, data that are no HDR images, or `output`
      cannot be written.
  """
  if "estimator" not in config:
    raise UserError(
      "--config: has no section estimator; use --config=configs/response.py or one made from it"
    )
  for name, (least, most) in LIMITS.items():
    if not least <= config.estimator[name] <= most:
      raise UserError(f"config.estimator.{name}={config.estimator[name]}: must be at least {least} "
                      f"and at most {most}")  # fmt: skip
  if config.data.source not in MADE_FROM_HDR:
    raise UserError(
      f"config.data.source={config.data.source}: the responses of its photos are not known; use "
      f"{' or '.join(MADE_FROM_HDR)}"
    )
  if pathlib.Path(output).suffix != weights.SUFFIX:
    raise UserError(f"{output}: weights files end in {weights.SUFFIX}; change the output's name")
  params = fit(config, photo_tables(config))
  figures = measure(config, params)
  saved = config.copy_and_resolve_references()
  saved.data.root = ""
  weights.save_weights(output, params, saved, info=figures)
  print("PSNR-mu, dB    read as sRGB  estimated    gain  by the true response")
  for name, row in figures.items():
    print("{:14} {:12.2f} {:10.2f} {:+7.2f} {:21.2f}".format(name, *row.values()))
  print(f"{output}: {pathlib.Path(output).stat().st_size / 1e3:.0f} kB")
  return figures


def photo_tables(config: ConfigDict) -> dict[str, np.ndarray]:
  """What is kept of `estimator.views` photos of each training scene, float32.

  Returns:
    dict of `seen` [N, F], the statistics; `shares` [N, 3, 256] of each code in a channel, all
    adding up to one; `levels` [N, 3, 256], of the linear light of each code; `floor` [N], mean
    square error in the mu-law domain if the codes are linearised by them; `weight` [N].
  """
  options, camera = config.estimator, Camera(**config.camera)
  cameras = {False: camera, True: dataclasses.replace(camera, response="srgb")}
  mu = network.mu_of(config)
  source, _ = make_source(config, "train")
  rows = []
  for index in tqdm.trange(len(source), desc="photos", unit="scene"):
    scene = source[index]
    for number in range(options.views):
      rng = np.random.default_rng([config.seed, index, number])
      srgb = bool(rng.random() < options.srgb_share)
      codes, exposed, table = take(scene, rng, size=config.data.crop, camera=cameras[srgb])
      rows.append({
        "seen": network.statistics(codes, config),
        "shares": np.stack([np.bincount(c.ravel(), minlength=CODES) for c in codes.T]) / codes.size,
        "levels": network.levels_of(table.T, mu=mu),
        "floor": mean_square_error(linearised(codes, table), exposed, config),
        "weight": options.srgb_weight if srgb else 1.0,
      })  # fmt: skip
  return {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]}


def take(
  scene: dict, rng: np.random.Generator, *, size: int, camera: Camera
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """One photo: codes [size, size, 3] uint8, radiance of the scene, linear light of each code.

  The last is [256, 3] in [0, 1].
  """
  ldr, exposed, curve = photograph.expose(scene, rng, size=size, camera=camera)
  every = np.repeat(np.arange(CODES, dtype=np.float32)[:, None] / (CODES - 1), 3, axis=1)
  codes = np.rint(ldr * (CODES - 1)).astype(np.uint8)
  return codes, exposed, response.linearise(every[None], curve)[0]


def linearised(codes: np.ndarray, table: np.ndarray) -> np.ndarray:
  """The linear light of codes [..., 3] by a table [256, 3]."""
  return np.stack([table[codes[..., channel], channel] for channel in range(3)], axis=-1)


def mean_square_error(linear: np.ndarray, exposed: np.ndarray, config: ConfigDict) -> float:
  """Of two images of relative radiance, in the mu-law domain of `config.domain`."""
  domain = config.domain
  pred, ref = (
    network.levels_of(np.clip(np.float64(image) / domain.headroom, 0, 1), mu=domain.mu)
    for image in (linear, exposed)
  )
  return float(np.mean((pred - ref) ** 2))


def fit(config: ConfigDict, tables: dict[str, np.ndarray]) -> dict:
  """Parameters after `train.phase1_steps` batches, drawn with repetition from the tables."""
  model, optimizer = network.from_config(config.estimator), make_optimizer(config)
  mu, domain = network.mu_of(config), config.domain
  to_codes = hat_weights(network.code_levels(mu=mu), config.estimator.knots).T
  # From levels to the mu-law domain of the metric, which headroom makes longer.
  unit = np.float32(np.log1p(mu) / np.log1p(domain.mu))
  tables = {name: jnp.asarray(value) for name, value in tables.items()}
  tables["weight"] /= jnp.mean(tables["weight"])

  def loss(params: dict, batch: dict[str, Array], key: Array) -> Array:
    heights = model.apply({"params": params}, batch["seen"], training=True, rngs={"dropout": key})
    error = unit * (heights @ to_codes - batch["levels"])
    curve = jnp.sum(batch["shares"] * error**2, axis=(1, 2))
    return jnp.mean(batch["weight"] * 10.0 * jnp.log10(curve + batch["floor"]))

  def step(carry: tuple, key: Array) -> tuple[tuple, Array]:
    params, state = carry
    draw, drop = jax.random.split(key)
    chosen = jax.random.randint(draw, config.train.batch_size, 0, tables["seen"].shape[0])
    value, gradient = jax.value_and_grad(loss)(
      params, {n: t[chosen] for n, t in tables.items()}, drop
    )
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integers and floats
      updates, state = optimizer.update(gradient, state, params)
    return (optax.apply_updates(params, updates), state), value

  key = jax.random.key(config.seed)
  params = network.init_params(config, key)
  steps = jax.jit(functools.partial(jax.lax.scan, step))
  carry = params, optimizer.init(params)
  with tqdm.tqdm(total=config.train.phase1_steps, unit="step") as bar:
    while bar.n < bar.total:
      numbers = np.arange(bar.n, min(bar.n + STEPS_A_CALL, bar.total))
      carry, values = steps(carry, jax.vmap(functools.partial(jax.random.fold_in, key))(numbers))
      bar.set_postfix_str(f"loss {np.mean(values):.2f} dB", refresh=False)
      bar.update(len(numbers))
  return jax.device_get(carry[0])


def measure(config: ConfigDict, params: dict) -> dict[str, dict[str, float]]:
  """PSNR-mu of validation photos against the scene's radiance, means in dB, by kind of camera.

  "film-like": of the training's responses those with a film weight above a half.
  """
  camera = Camera(**config.camera)
  cameras = {
    "film-like": dataclasses.replace(camera, response_film=(0.5, max(0.5, camera.response_film[1])))
  } | {kind: dataclasses.replace(camera, response=kind) for kind in photograph.RESPONSES}
  return {name: _mean_row(_scores(config, params, camera)) for name, camera in cameras.items()}


def _scores(config: ConfigDict, params: dict, camera: Camera) -> Iterator[list[float]]:
  """PSNR-mu of each validation photo read as sRGB, by the estimate, by its true response."""
  model, mu = network.from_config(config.estimator), network.mu_of(config)
  srgb = np.repeat(srgb_to_linear(np.arange(CODES) / (CODES - 1))[:, None], 3, axis=1)
  apply = jax.jit(model.apply)
  source, _ = make_source(config, "validation")
  for index in tqdm.trange(len(source), desc=camera.response, unit="scene"):
    scene = source[index]
    for number in range(VIEWS):
      rng = np.random.default_rng([index, number])
      codes, exposed, table = take(scene, rng, size=SIZE, camera=camera)
      heights = np.asarray(apply({"params": params}, network.statistics(codes, config)[None])[0])
      tables = srgb, network.curve_table(heights, mu=mu), table
      errors = (mean_square_error(linearised(codes, t), exposed, config) for t in tables)
      yield [-10.0 * np.log10(error) for error in errors]


def _mean_row(scores: Iterator[list[float]]) -> dict[str, float]:
  srgb, estimated, true = np.mean(list(scores), axis=0).tolist()
  return {"srgb": srgb, "estimated": estimated, "gain": estimated - srgb, "true": true}
