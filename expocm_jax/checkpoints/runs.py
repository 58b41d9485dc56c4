"""Checkpoints of a run: training state, data position and configuration, by Orbax.

`FOLDER/STEP/` is one checkpoint. It is written beside its place and renamed when complete, so
an interrupted save never counts. This is the only file that knows Orbax.
"""

import json
import logging
import os
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from flax import traverse_util
from ml_collections import ConfigDict

from expocm_jax.checkpoints.weights import config_from_json
from expocm_jax.errors import UserError, first_line
from expocm_jax.method.expocm import Method

# What may differ between a checkpoint and the run that continues it: nothing of it changes what
# is learnt, if `data.root` is where the same data lie now. The number of steps may not differ:
# learning rate and curriculum are functions of it.
HARMLESS_FIELDS = frozenset({
  "train.log_every", "train.save_every", "train.validate_every", "train.validation_records",
  "train.keep_checkpoints", "data.root", "data.workers", "data.cache_gib",
})  # fmt: skip


class Checkpoints:
  """Writes and reads the checkpoints of one run; every process makes the same calls.

  Saves run in the background: an error shows at the next `save` or at `close`. The `keep`
  newest checkpoints stay, and the one with the highest score.

  Raises:
    UserError: from every method, when the folder cannot be written or read.
  """

  def __init__(self, folder: str | os.PathLike, *, keep: int):
    # Orbax warns of saves that follow quickly, and logs every error that it raises as well.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    self.folder = pathlib.Path(folder).absolute()
    policies = ocp.checkpoint_managers
    options = ocp.CheckpointManagerOptions(
      best_fn=_score,
      preservation_policy=policies.AnyPreservationPolicy([
        policies.LatestN(keep),
        policies.BestN(get_metric_fn=_score, n=1),
      ]),
      cleanup_tmp_directories=True,
    )  # fmt: skip
    try:
      self.folder.mkdir(parents=True, exist_ok=True)
      self._manager = ocp.CheckpointManager(
        self.folder, options=options, item_names=("state", "data", "config")
      )
    except (OSError, ValueError) as error:
      raise _cannot_write(self.folder, error) from error

  def newest_step(self) -> int | None:
    """Steps done at the newest complete checkpoint, None when there is none."""
    return self._manager.latest_step()

  def save(
    self, step: int, state: Any, data: dict, config: ConfigDict, *, score: float | None
  ) -> None:
    """Starts to write a checkpoint; a step that is there already is left alone.

    Args:
      step: steps done.
      state: the training state, a pytree of arrays; it may be donated as soon as this returns.
      data: position of the training data, what `json.dumps` takes, the same on every process.
      config: the run's configuration.
      score: the validation's, the higher the better; None when there was none at this step.
    """
    if step in self._manager.all_steps():
      return
    items = ocp.args.Composite(
      state=ocp.args.PyTreeSave(state),
      data=ocp.args.JsonSave(data),
      config=ocp.args.JsonSave(json.loads(config.to_json())),
    )
    metrics = {"score": score if score is None else float(score)}
    try:
      _check_room(self.folder, sum(leaf.nbytes for leaf in jax.tree.leaves(state)))
      self._manager.save(step, args=items, metrics=metrics, force=True)
    except (OSError, ValueError, RuntimeError) as error:
      raise _cannot_write(self.folder, error) from error

  def restore(self, step: int, like: Any, config: ConfigDict) -> tuple[Any, dict]:
    """The state and the data position of a checkpoint.

    Args:
      step: of a complete checkpoint.
      like: jax.ShapeDtypeStruct leaves with the shardings of the state to be made.
      config: of the run that is to continue; see `HARMLESS_FIELDS`.

    Raises:
      UserError: damaged, or written with another configuration.
    """
    saved = _read(self.folder / str(step), config=ocp.args.JsonRestore()).config
    _check_same(self.folder / str(step), saved, config)
    items = _read(
      self.folder / str(step),
      state=ocp.args.PyTreeRestore(
        like, restore_args=ocp.checkpoint_utils.construct_restore_args(like)
      ),
      data=ocp.args.JsonRestore(),
    )
    return items.state, items.data

  def best_step(self) -> int | None:
    """The checkpoint with the highest score, None when there is none; waits for saves."""
    self._manager.wait_until_finished()
    step = self._manager.best_step()
    scored = step is not None and self._manager.metrics(step)["score"] is not None
    return step if scored else None

  def close(self) -> None:
    """Waits until everything is written."""
    try:
      self._manager.wait_until_finished()
      self._manager.close()
    except (OSError, ValueError, RuntimeError) as error:
      raise _cannot_write(self.folder, error) from error


def load_for_inference(path: str | os.PathLike) -> tuple[ConfigDict, dict]:
  """The configuration and the averaged parameters of a checkpoint, on any number of devices.

  Args:
    path: a run's folder or its `checkpoints` folder, where the newest checkpoint is taken, or
      the folder of one checkpoint. No config file is needed.

  Returns:
    (config, ema_params): the parameters are numpy arrays.

  Raises:
    UserError: missing, empty, damaged, or of another version of the network.
  """
  folder = _find(pathlib.Path(path).expanduser().absolute())
  saved = _read(folder, config=ocp.args.JsonRestore()).config
  config = config_from_json(saved)
  try:
    like = jax.eval_shape(Method.from_config(config).init_params, jax.random.key(0))
  except (AttributeError, KeyError, TypeError, ValueError, UserError) as error:
    raise UserError(
      f"{folder}: its configuration does not fit this version ({first_line(error)}); "
      "use the version of expocm_jax that wrote it"
    ) from error
  item = {"ema_params": like}
  as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), item)
  params = _read(
    folder,
    state=ocp.args.PyTreeRestore(item, restore_args=as_numpy, partial_restore=True),
  ).state["ema_params"]
  wanted = jax.tree.map(lambda leaf: leaf.shape, like)
  if jax.tree.map(lambda leaf: getattr(leaf, "shape", None), params) != wanted:
    raise UserError(
      f"{folder}: the parameters do not fit the network of their configuration; "
      "use the version of expocm_jax that wrote it"
    )
  return config, params


def is_complete(workdir: str | os.PathLike, config: ConfigDict) -> bool:
  """Whether the run in `workdir` has been trained to its last step with this configuration.

  Raises UserError when its last checkpoint was written with another one, or is damaged.
  """
  last = config.train.phase1_steps + config.train.phase2_steps
  folder = pathlib.Path(workdir).absolute() / "checkpoints" / str(last)
  if not folder.is_dir():
    return False
  _check_same(folder, _read(folder, config=ocp.args.JsonRestore()).config, config)
  return True


def _find(path: pathlib.Path) -> pathlib.Path:
  """The folder of one checkpoint for a run, checkpoints or checkpoint folder."""
  if not path.is_dir():
    problem = "not a folder" if path.exists() else "no such folder"
    raise UserError(f"{path}: {problem}; name a run's --workdir or one of its checkpoints")
  if (path / "state").is_dir():
    return path
  inner = path / "checkpoints" if (path / "checkpoints").is_dir() else path
  steps = [int(child.name) for child in inner.iterdir() if child.name.isdigit()]
  if not steps:
    raise UserError(f"{path}: holds no complete checkpoint; name a run's --workdir, "
                    "or train until the first save")  # fmt: skip
  return inner / str(max(steps))


def _read(folder: pathlib.Path, **items: ocp.args.CheckpointArgs) -> Any:
  """Reads items of the checkpoint in `folder`."""
  try:
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
      restored = checkpointer.restore(folder, args=ocp.args.Composite(**items))
    missing = [name for name in items if restored[name] is None]
  except Exception as error:  # a damaged file raises whatever its parser stumbles over
    raise UserError(
      f"{folder}: the checkpoint cannot be read ({first_line(error)}); use another one, "
      "or delete this folder to continue from the one before"
    ) from error
  if missing:
    raise UserError(f"{folder}: not a checkpoint of expocm_jax, it lacks {missing[0]!r}; "
                    "name a run's --workdir")  # fmt: skip
  return restored


def _check_same(folder: pathlib.Path, saved: dict, config: ConfigDict) -> None:
  """Raises UserError when a field that matters differs."""
  then, now = (
    traverse_util.flatten_dict(tree, sep=".") for tree in (saved, json.loads(config.to_json()))
  )
  different = [
    name for name in sorted(then.keys() | now.keys())
    if name not in HARMLESS_FIELDS and then.get(name, "absent") != now.get(name, "absent")
  ]  # fmt: skip
  if different:
    name = different[0]
    more = f" and {len(different) - 1} more field(s)" if len(different) > 1 else ""
    raise UserError(
      f"{folder}: written with config.{name}={then.get(name, 'absent')}, this run has "
      f"{now.get(name, 'absent')}{more}; use the same config, or another --workdir"
    )


def _check_room(folder: pathlib.Path, size: int) -> None:
  """Raises OSError when the disk has no room for `size` bytes and some more.

  A disk that fills up in the middle of a save makes a noise of many threads.
  """
  needed, free = size + size // 4 + 2**20, shutil.disk_usage(folder).free
  if free < needed:
    raise OSError(f"no space left: {free / 2**20:.1f} MiB free, {needed / 2**20:.1f} MiB needed")


def _score(metrics: dict) -> float:
  return -float("inf") if metrics["score"] is None else metrics["score"]


def _cannot_write(folder: pathlib.Path, error: Exception) -> UserError:
  return UserError(f"{folder}: cannot save checkpoints ({first_line(error)}); "
                   "make room or choose another --workdir")  # fmt: skip
