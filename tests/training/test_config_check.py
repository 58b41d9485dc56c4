"""Numbers that make no sense are told in one line; every number of a config has its limits."""

import pytest

from configs import base, default, paper, response, small, smoke, tiny
from expocm_jax.errors import UserError
from expocm_jax.training import config_check
from expocm_jax.training.config_check import LIMITS, check_fields, check_numbers

WRONG = [
  ("train.batch_size", -4, "at least 1"),
  ("data.crop", 0, "at least 1"),
  ("data.workers", -1, "at least 0"),
  ("masks.tau", 0.0, "at most 0.5"),
  ("masks.q_lo", 99.0, "below config.masks.q_hi=98.0"),
  ("domain.headroom", float("nan"), "at least 1"),
  ("consistency.delta", 0.0, "above 0"),
  ("consistency.n_start", 1, "at least 2"),
  ("consistency.anchor_fraction", 1.5, "at most 1"),
  ("consistency.anchor_fraction", -0.1, "at least 0"),
  ("consistency.target_decay", 0.0, "above 0 and at most 1"),
  ("elc.specular_chroma", 0.0, "above 0"),
  ("model.time_features", 1, "at least 2"),
  ("model.multipliers", (), "one a level"),
  ("model.patch", 3, "use 1, 2 or 4"),
  ("model.tone_bins", 1, "2 bins or more"),
  ("model.tone_cells", 30, "divisible by 4"),
  ("consistency.region_shares", (0.5, 0.5), "three numbers"),
  ("consistency.region_shares", (0.5, -0.1, 0.6), "at least 0"),
  ("consistency.region_shares", (0.5, 0.5, 0.0), "the last above 0"),
  ("consistency.region_shares", (0.2, 0.2, float("nan")), "at least 0"),
  ("consistency.keep", (0.1, 0.2, 0.95), "four codes"),
  ("consistency.keep", (0.2, 0.1, 0.95, 0.99), "rise within 0 and 1"),
  ("optim.phase2_lr", 0.0, "above 0"),
  ("train.phase1_steps", -1, "at least 0"),
]


def test_every_number_of_the_default_config_has_limits():
  config = default.get_config()
  camera = config.to_dict()["camera"]  # `camera.Camera` checks these
  numbers = {"seed"} | {
    f"{section}.{name}"
    for section, fields in config.to_dict().items() if isinstance(fields, dict)
    for name, value in fields.items()
    if type(value) in (int, float) and fields != camera
  }  # fmt: skip
  assert numbers == set(LIMITS)


@pytest.mark.parametrize("name, value, message", WRONG)
def test_a_wrong_number_names_its_field(name, value, message):
  config = default.get_config()
  config.update_from_flattened_dict({name: value})
  with pytest.raises(UserError, match=message) as error:
    check_numbers(config)
  assert f"config.{name}={value}" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
  "name, value, wanted",
  [
    ("model.multipliers", (1, 2.5), "(1, 2, 4, 4)"),
    ("model.multipliers", (1, True), "("),
    ("camera.fov", (3, "a"), "(30.0, 100.0)"),
    ("camera.fov", 3, "("),
    ("consistency.region_shares", ("a", 1, 2), "("),
    ("train.batch_size", "many", "16"),
    ("train.batch_size", 8.5, "16"),
    ("train.batch_size", True, "16"),
    ("consistency.residual", 1, "True"),
    ("optim.peak_lr", "fast", "0.0002"),
    ("data.root", None, "''"),
    ("optim", 1, "a section"),
  ],
)
def test_a_wrong_type_names_its_field(name, value, wanted):
  config = default.get_config()
  with config.unlocked(), config.ignore_type():
    config.update_from_flattened_dict({name: value})
  with pytest.raises(UserError) as error:
    check_fields(config, default.get_config())
  assert f"config.{name}={value!r}: wrong type; give " in str(error.value)
  assert wanted in str(error.value)


@pytest.mark.parametrize("name", ["camera", "masks.tau"])
def test_a_missing_field_is_named(name):
  config = default.get_config()
  section, _, field = name.rpartition(".")
  with config.unlocked():
    del (config[section] if section else config)[field]
  with pytest.raises(UserError, match=f"config.{name}: missing"):
    check_fields(config, default.get_config())


@pytest.mark.parametrize("curriculum", ["original", "improved"])
def test_a_growing_curriculum_does_not_shrink(curriculum):
  config = default.get_config()
  config.consistency.update(curriculum=curriculum, n_start=5, n_end=4)
  with pytest.raises(UserError, match="n_end=4: must be at least .*n_start=5"):
    check_numbers(config)


@pytest.mark.parametrize("config", [default, paper, tiny, small, base, smoke, response])
def test_the_configs_pass(config):
  check_fields(config.get_config(), default.get_config())
  check_numbers(config.get_config())


def test_the_ends_of_the_limits_pass():
  for name, ends in LIMITS.items():
    for end in ends:
      if end != config_check.ANY and not name.startswith("masks.q_"):
        changed = default.get_config()
        with changed.ignore_type():
          changed.update_from_flattened_dict({name: end})
        check_numbers(changed)
