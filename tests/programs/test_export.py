"""Export: a run becomes a weights file, without paths of the machine that trained."""

import json

import jax
import numpy as np
import pytest

from expocm_jax.checkpoints import weights
from expocm_jax.errors import UserError
from expocm_jax.programs import export
from tests.support import small_network


def test_export_is_what_reconstruction_loads(tmp_path, monkeypatch, capsys):
  config, run = small_network.config(), tmp_path / "run"
  params = small_network.params(config)
  trained = config.copy_and_resolve_references()
  trained.data.root = "/private/place"
  trained.train.init_from = "/private/runs/first"
  monkeypatch.setattr(export.runs, "load_for_inference", lambda path: (trained, params))
  run.mkdir()
  rows = [{"step": 4, "validation/output/all": 30.0}, {"step": 5, "train/loss": 1.0}]
  (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
  path = export.main(workdir=run, output=tmp_path / "e.safetensors")
  saved, loaded, info = weights.load_weights(path)
  assert saved.train.init_from == "first"
  with saved.unlocked():
    saved.train.init_from = ""
  assert saved == config  # without the paths
  jax.tree.map(np.testing.assert_array_equal, loaded, params)
  assert info == rows[0]
  assert "parameters" in capsys.readouterr().out
  with pytest.raises(UserError, match="end in .safetensors"):
    export.main(workdir=run, output=tmp_path / "e.bin")
  with pytest.raises(UserError, match="no such run"):
    export.main(workdir=tmp_path / "no", output=path)
