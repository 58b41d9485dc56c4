"""The names of the known sets, their variants and their titles."""

import pytest

from configs import default
from expocm_jax.errors import UserError
from input_pipeline import prepare
from input_pipeline.datasets import catalogue
from input_pipeline.source import dataset_name, make_source
from tests.support import dataset_trees as trees


def make_config(root, key, source="pairs"):
  config = default.get_config()
  config.data.update(source=source, root=str(root), dataset=key)
  return config


def mistake(root, key):
  with pytest.raises(UserError) as error:
    make_source(make_config(root, key), "all")
  message = str(error.value)
  assert ";" in message and "\n" not in message
  return message


def test_si_hdr_gives_each_clip_set_or_the_one_asked_for(tmp_path):
  trees.si_hdr(tmp_path, below="unpacked")
  every, _ = make_source(make_config(tmp_path, "si_hdr"), "test")
  names = [pair.name for pair in every.pairs]
  assert names[::2] == ["clip_95/unpacked/001", "clip_97/unpacked/001"]
  assert [pair.scene for pair in every.pairs] == ["001", "002"] * 2
  config = make_config(tmp_path, "si_hdr/clip_97")
  assert dataset_name(config) == "SI-HDR clip_97"
  names = [pair.name for pair in make_source(config, "test")[0].pairs]
  assert len(names) == 2 and all("clip_97" in name for name in names)
  assert prepare.prepare(config, tmp_path / "out", views=1) == {"test": 2}
  assert (tmp_path / "out/si_hdr_clip_97/1.0.0").is_dir()


def test_names_and_variants(tmp_path):
  known = ", ".join(catalogue.DATASETS)
  assert f"dataset=hdrreal: unknown; choose one of {known}" in mistake(tmp_path, "hdrreal")
  assert "choose si_hdr/clip_95, si_hdr/clip_97" in mistake(tmp_path, "si_hdr/clip_99")
  assert "no such folder" in mistake(tmp_path / "nowhere", "hdr_eye")
  assert "no LDR/HDR pairs" in mistake(tmp_path, "aim2025")
  config = make_config(tmp_path, "hdr_real", "hdr_folder")
  with pytest.raises(UserError, match="add --config.data.source=pairs"):
    make_source(config, "train")


def test_builders_bear_the_names_of_their_sets():
  assert catalogue.title_of_builder("hdr_eye") == "HDR-EYE"
  assert catalogue.title_of_builder("si_hdr_clip_95") == "SI-HDR clip_95"
  assert catalogue.title_of_builder("folder") == catalogue.title_of_builder("exposure_pairs") == ""
