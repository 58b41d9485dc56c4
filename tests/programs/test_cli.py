"""The command line: mistakes give one line, status 2, and nothing half-written."""

import inspect
import os
import pathlib
import pkgutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from expocm_jax.checkpoints import weights
from expocm_jax.programs import cli
from tests.support import small_network

pytestmark = pytest.mark.usefixtures("quick_compiles")
ROOT = pathlib.Path(__file__).parents[2]


def run(*arguments, through=(), **options):
  """Runs main.py; returns (status, standard output, standard error)."""
  command = [*through, sys.executable, str(ROOT / "main.py"), *map(str, arguments)]
  environment = os.environ | {"JAX_PLATFORMS": "cpu"}
  options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True} | options
  done = subprocess.run(command, **options)
  return done.returncode, done.stdout, done.stderr


@pytest.fixture
def command(monkeypatch, capfd):
  """Runs a command line within this process; returns as `run`."""
  handler = signal.getsignal(signal.SIGTERM)
  monkeypatch.chdir(ROOT)

  def call(*arguments):
    monkeypatch.setattr(sys, "argv", ["main.py", *map(str, arguments)])
    status = cli.main()
    return status, *capfd.readouterr()

  yield call
  signal.signal(signal.SIGTERM, handler)


def mistakes(error):
  return [line for line in error.splitlines() if line.startswith("error: ")]


def assert_one_line(result, *words):
  status, _, error = result
  assert status == 2, error
  assert "Traceback" not in error
  assert len(mistakes(error)) == 1, error
  for word in words:
    assert word in mistakes(error)[0]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
  """A folder with two good photos among files that cannot be read."""
  folder = tmp_path_factory.mktemp("photos")
  pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
  Image.fromarray(pixels).save(folder / "good.png")
  Image.fromarray(pixels[:1, :1]).save(folder / "one_pixel.jpg")
  Image.fromarray(pixels).convert("CMYK").save(folder / "cmyk.jpg")
  (folder / "text.jpg").write_text("not an image")
  (folder / "empty.png").write_bytes(b"")
  whole = (folder / "good.png").read_bytes()
  (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
  return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
  """The flag for weights that compile fast."""
  config, path = small_network.config(), tmp_path_factory.mktemp("weights") / "w.safetensors"
  weights.save_weights(path, small_network.params(config), config)
  return f"--weights={path}"


def test_a_batch_goes_on_and_lists_what_failed(photos, network, tmp_path):
  status, out, error = run(
    "--mode=reconstruct", f"--input={photos}", f"--output={tmp_path}/out", network
  )
  assert status == 2 and "Traceback" not in error
  (summary,) = mistakes(error)
  bad = ("cmyk.jpg", "empty.png", "text.jpg", "truncated.png")
  for name in bad:
    assert name in summary
    assert sum(name in line for line in error.splitlines()) >= 2, "its own line and the summary"
  written = sorted(path.name for path in (tmp_path / "out").iterdir())
  assert written == ["good.exr", "good.preview.png", "one_pixel.exr", "one_pixel.preview.png"]
  assert "stops" in out


CONFIG_MISTAKES = {
  "unknown field": (["--config.train.nope=3"], ["no field 'nope'; configs"]),
  "mistyped field": (["--config.data.rot=x"], ["no field 'rot', perhaps 'root'; configs"]),
  "wrong type": (["--config.train.batch_size=many"], ["batch_size"]),
  "no config file": (["--config=nowhere.py"], ["--config: nowhere.py: no such file"]),
  "unknown field in a config file": (["--config={own}"], ["'bach'"]),
  "unknown variant": (["--config=configs/ablation.py:four"], ["four", "uniform"]),
  "variant of a file without any": (["--config=configs/smoke.py:three"], ["takes a :VARIANT"]),
  "unknown choice": (["--config=configs/smoke.py", "--config.consistency.distance=l3"], ["l3"]),
  "no get_config in a config file": (["--config={empty}"], ["no attribute 'get_config'", "mend"]),
  "wrong type in a config file": (["--config={typed}"], ["typed.py: TypeError", "'batch_size'"]),
  "no section in a config file": (["--config={bare}"], ["config.camera: missing"]),
  "no ConfigDict": (["--config={plain}"], ["'dict' object", "configs/tiny.py"]),
  "half a channel": (["--config.model.multipliers=(1,2.5)"], ["multipliers=(1, 2.5)", "(1, 2, 4"]),
  "text in a range": (["--config.camera.fov=(3,'a')"], ["config.camera.fov=(3, 'a')"]),
  "text in shares": (["--config.consistency.region_shares=('a',1,2)"], ["=('a', 1, 2)"]),
  "no data": (["--config=configs/tiny.py", "--config.data.root=nowhere"], ["nowhere"]),
}


@pytest.mark.parametrize("case", CONFIG_MISTAKES)
def test_mistakes_in_the_config(case, command, tmp_path, monkeypatch):
  monkeypatch.delitem(sys.modules, "config_config", raising=False)  # the last case's file
  arguments, words = CONFIG_MISTAKES[case]
  smoke = "from configs import smoke\n\ndef get_config():\n  config = smoke.get_config()\n"
  texts = {
    "own": smoke + "  config.train.bach = 3\n  return config\n",
    "typed": smoke + "  config.train.batch_size = 'many'\n  return config\n",
    "bare": "import ml_collections\n\nget_config = ml_collections.ConfigDict\n",
    "plain": "get_config = lambda: {'seed': 0}\n",
    "empty": "",
  }
  files = {name: tmp_path / f"{name}.py" for name in texts}
  for name, path in files.items():
    path.write_text(texts[name])
  arguments = [argument.format(**files) for argument in arguments]
  assert_one_line(command("--mode=train", f"--workdir={tmp_path}/run", *arguments), *words)


def test_mistakes_in_flags_and_paths(command, tmp_path, photos):
  a_file = tmp_path / "file"
  a_file.write_text("x")
  photo = f"--input={photos / 'good.png'}"
  cases = [
    (["--mode=paint"], "paint"),
    ([], "--mode: missing"),
    (["--mode=reconstruct"], "--input"),
    (["--mode=reconstruct", "--input=", f"--output={tmp_path}/out"], "--input: empty"),
    (["--mode=reconstruct", "--input=nowhere.jpg", f"--output={tmp_path}"], "nowhere.jpg"),
    (["--mode=reconstruct", photo, f"--output={a_file}"], str(a_file)),
    (["--mode=reconstruct", photo, f"--output={tmp_path}", "--weights=nowhere"], "nowhere"),
    (["--mode=reconstruct", photo, f"--output={tmp_path}", f"--weights={a_file}"], str(a_file)),
    (["--mode=export", f"--workdir={tmp_path}", "--output=w.safetensors"], "checkpoint"),
    (["--mode=evaluate", f"--output={tmp_path}/out", "--steps=4"], "--steps: not used"),
    (["--mode=demo", "--config.data.root=x"], "--config.data.root: not used"),
    (["--mode=demo", photos / "good.png"], "unexpected argument"),
    (["--mode=reconstruct", photo, f"--output={tmp_path}/out", "--steps=0"], "--steps"),
    (["--mode=reconstruct", photo, f"--output={tmp_path}/out", "--exr_dtype=int"], "--exr_dtype"),
    (["--mode=reconstruct", photo, f"--output={tmp_path}/out", "--formats=jpg"], "--formats=jpg"),
    (["--mode=reconstruct", photo, "--output=o", "--weights=a", "--weights=b"], "takes one"),
    (["--mode=reconstruct", photo, f"--output={tmp_path}/out", f"--seed={2**32}"], "--seed"),
    (["--mode=benchmark", "--config.data.crop=64"], "--config: not used without --what=pipeline"),
    (["--mode=benchmark", "--config=configs/tiny.py"], "--config: not used without --what="),
    (["--mode=benchmark", "--what=pipeline", "--size=64"], "--size: not used by --what=pipeline"),
  ]
  for arguments, word in cases:
    assert_one_line(command(*arguments), word)
  assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_leaves_nothing_half_written(photos, network, tmp_path):
  # Files of more than one kilobyte fail to be written, as on a full disk.
  limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@"', "bash"]
  photo = f"--input={photos / 'good.png'}"
  result = run("--mode=reconstruct", photo, f"--output={tmp_path}", network, through=limited)
  assert_one_line(result, "good.exr")
  assert not list(tmp_path.iterdir())


def test_requirements_that_are_not_installed(command, monkeypatch):
  missing = cli.MODES["demo"]._replace(run="no_such_library.program:main")
  monkeypatch.setitem(cli.MODES, "demo", missing)
  assert_one_line(command("--mode=demo"), "'no_such_library'; pip install -r", "requirements.txt")


def test_runs_from_another_folder(tmp_path, photos):
  status, _, error = run(photos / "one_pixel.jpg", "--output=here", cwd=tmp_path)
  assert status == 0, error
  assert (tmp_path / "here" / "one_pixel.exr").exists()


def test_help_lists_every_mode_and_flag(command):
  status, out, _ = command("--help")
  assert status == 0 and {"config", *cli.FLAGS} == set().union(
    *(m.flags for m in cli.MODES.values())
  )
  for name in ("mode", "config", *cli.FLAGS):
    assert f"  --{name}:" in out or f"  --[no]{name}:" in out, name
  for name, mode in cli.MODES.items():
    assert f"  {name} " in out and mode.summary in out


@pytest.mark.parametrize("name", cli.MODES)
def test_the_table_names_what_a_program_takes(name):
  mode = cli.MODES[name]
  program = pkgutil.resolve_name(mode.run) if isinstance(mode.run, str) else mode.run
  parameters = inspect.signature(program).parameters
  required = [
    p.name for p in parameters.values() if p.default is p.empty and p.kind != p.VAR_KEYWORD
  ]
  assert set(required) - {"config"} == set(mode.needs.split())
  if not any(p.kind == p.VAR_KEYWORD for p in parameters.values()):
    assert set(mode.flags) == parameters.keys()


def test_the_command_line_itself_does_not_load_jax():
  check = "import sys, expocm_jax; from expocm_jax.programs import cli; sys.argv = ['x', '--help'];"
  check += "cli.main(); sys.exit('jax' in sys.modules)"
  assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_evaluation_cleanly(number, tmp_path):
  command = [sys.executable, str(ROOT / "main.py"), "--mode=evaluate", "--weights=", "--size=16",
             "--config=configs/smoke.py", "--metrics=psnr_mu", "--views=50",
             f"--output={tmp_path}"]  # fmt: skip
  program = subprocess.Popen(
    command, cwd=ROOT, env=os.environ | {"JAX_PLATFORMS": "cpu"},
    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    # A shell's background job has SIGINT ignored, and hands that on to its children.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
  )  # fmt: skip
  seen = ""
  while "evaluate:" not in seen and (text := program.stderr.read(1)):  # the bar: it has begun
    seen += text
  program.send_signal(number)
  _, rest = program.communicate(timeout=60)
  assert program.returncode == 128 + number and "stopped" in rest
  assert "Traceback" not in seen + rest and "Fatal" not in seen + rest
  assert not (tmp_path / "scores.json").exists() and not list(tmp_path.rglob(".*.tmp*"))
