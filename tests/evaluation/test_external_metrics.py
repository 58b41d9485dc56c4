"""The bridges to HDR-VDP-3 and ColorVideoVDP, with stand-ins for both, and with a real Octave."""

import shutil
import stat
import subprocess
import sys
import types

import numpy as np
import pytest

from expocm_jax.errors import UserError
from expocm_jax.evaluation import external_metrics

HEIGHT, WIDTH = 5, 7

# Octave as the bridge calls it: options, script, folder, two files, height, width, resolution.
# Its "quality" is the sum of test - 2 reference, and it fails as its folder's file fails.txt says.
FAKE_OCTAVE = """#!{python}
import array, os, sys, time
script, folder, *rest = [a for a in sys.argv[1:] if not a.startswith("--")]
assert "hdrvdp3(" in open(script).read()
trouble = os.path.join(os.path.dirname(__file__), "trouble")
trouble = open(trouble).read() if os.path.exists(trouble) else ""
if not rest:
  print(trouble if trouble.startswith("missing") else "ready")
  sys.exit(0)
if trouble == "slow":
  time.sleep(5)
if trouble == "fail":
  sys.stderr.write("warning: x\\nerror: out of memory or so\\nerror: called from\\n")
  sys.exit(1)
images = [array.array("f", open(path, "rb").read()) for path in rest[:2]]
assert [len(i) for i in images] == [3 * int(rest[2]) * int(rest[3])] * 2 and rest[4] == "45.0"
print("HDR-VDP v3.0.7, 45 [pix/deg], (cpu)")
if trouble != "mute":
  print("quality: %.9g" % (sum(images[0]) - 2 * sum(images[1])))
"""

# Values by position tell a transposed image or a swapped channel; test and reference differ in
# weight. 1/3 tells float32 from fewer digits.
STUB_HDRVDP3 = """
function result = hdrvdp3(task, test, reference, encoding, ppd, options)
  assert(strcmp(task, "quality") && strcmp(encoding, "rgb-native") && ppd == 45);
  assert(strcmp(options{1}, "use_gpu") && options{2} == false);
  assert(isequal(size(test), [5 7 3]) && isequal(size(reference), [5 7 3]));
  assert(isa(test, "double"));
  [row, column, channel] = ndgrid(0:4, 0:6, 0:2);
  weight = row + 10 * column + 100 * channel;
  result.Q = sum((weight .* (test - 2 * reference))(:));
end
"""


def pair():
  rng = np.random.default_rng(0)
  ref = rng.uniform(0.01, 4000, (HEIGHT, WIDTH, 3)).astype(np.float32)
  return ref * np.float32(1 / 3), ref


@pytest.fixture
def copy(tmp_path):
  """A user's copy of HDR-VDP-3."""
  folder = tmp_path / "hdrvdp-3.0.7"
  folder.mkdir()
  (folder / "hdrvdp3.m").write_text(STUB_HDRVDP3)
  return folder


@pytest.fixture
def octave(tmp_path, monkeypatch):
  """A folder with a stand-in for Octave, first on PATH."""
  folder = tmp_path / "bin"
  folder.mkdir()
  program = folder / "octave-cli"
  program.write_text(FAKE_OCTAVE.format(python=sys.executable))
  program.chmod(program.stat().st_mode | stat.S_IXUSR)
  monkeypatch.setenv("PATH", str(folder))
  return folder


def test_hdrvdp3_passes_images_and_reads_the_score(copy, octave):
  metric = external_metrics.HdrVdp3(copy, pixels_per_degree=45)
  assert metric.version is None
  pred, ref = pair()
  want = pred.astype(np.float64).sum() - 2 * ref.astype(np.float64).sum()
  assert metric.score(pred, ref) == pytest.approx(want, rel=1e-6)
  assert metric.version == "HDR-VDP v3.0.7, 45 [pix/deg], (cpu)"
  deeper = external_metrics.HdrVdp3(copy.parent, pixels_per_degree=45)
  assert deeper.score(pred, ref) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("package", ["image", "statistics"])
def test_hdrvdp3_names_a_missing_package(copy, octave, package):
  (octave / "trouble").write_text(f"missing package: {package}")
  with pytest.raises(UserError, match=f"package {package} is missing.*octave-{package}"):
    external_metrics.HdrVdp3(copy)


def test_hdrvdp3_names_what_is_missing(copy, octave, tmp_path):
  with pytest.raises(UserError, match="not a folder; give the folder of your copy"):
    external_metrics.HdrVdp3(tmp_path / "nowhere")
  with pytest.raises(UserError, match="no hdrvdp3.m; get HDR-VDP 3.0.7"):
    external_metrics.HdrVdp3(octave)
  with pytest.raises(UserError, match="no-octave: not found on PATH; .*apt-get install octave "):
    external_metrics.HdrVdp3(copy, octave="no-octave")


def test_hdrvdp3_tells_in_one_line_what_went_wrong(copy, octave):
  metric = external_metrics.HdrVdp3(copy, pixels_per_degree=45)
  hasty = external_metrics.HdrVdp3(copy, pixels_per_degree=45)
  hasty._timeout = 0.2  # the check before had the usual time
  for trouble, told, scorer in (
    ("fail", "Octave failed, error: out of memory or so$", metric),
    ("mute", "no quality Q", metric),
    ("slow", "longer than 0.2 s", hasty),
  ):
    (octave / "trouble").write_text(trouble)
    with pytest.raises(UserError, match=told) as caught:
      scorer.score(*pair())
    assert "\n" not in str(caught.value)


def has_octave():
  if not shutil.which("octave-cli"):
    return False
  load = ["octave-cli", "--norc", "--eval", "pkg load statistics image"]
  return subprocess.run(load, capture_output=True).returncode == 0


@pytest.mark.skipif(not has_octave(), reason="Octave or its packages are not installed")
def test_a_real_octave_gets_the_images_as_they_are(copy):
  metric = external_metrics.HdrVdp3(copy, pixels_per_degree=45)
  pred, ref = pair()
  row, column, channel = np.mgrid[:HEIGHT, :WIDTH, :3]
  weight = row + 10.0 * column + 100.0 * channel
  want = (weight * (pred.astype(np.float64) - 2 * ref.astype(np.float64))).sum()
  assert metric.score(pred, ref) == pytest.approx(want, rel=1e-8)
  (copy / "hdrvdp3.m").write_text(
    "function r = hdrvdp3(varargin)\n  error('no such display');\nend"
  )
  with pytest.raises(UserError, match="error: no such display"):
    metric.score(pred, ref)


@pytest.fixture
def fake_cvvdp(monkeypatch):
  """The package's names that the bridge uses; its JOD tells test from reference."""
  module = types.ModuleType("pycvvdp")
  calls = module.calls = {}
  module.vvdp_display_photo_eotf = lambda peak, **options: calls.update(peak=peak, **options)
  module.vvdp_display_geometry = lambda resolution, ppd: calls.update(ppd=ppd)

  class Metric:
    def __init__(self, **options):
      calls["display_name"] = options["display_name"]

    def get_info_string(self):
      return '"ColorVideoVDP v0"'

    def predict(self, test, reference, dim_order):
      assert dim_order == "HWC" and test.dtype == reference.dtype == np.float32
      return np.float32(10 - abs(test - reference).mean() / reference.mean()), {}

  module.cvvdp = Metric
  monkeypatch.setitem(sys.modules, "pycvvdp", module)
  return calls


def test_cvvdp_gets_absolute_light(fake_cvvdp):
  metric = external_metrics.ColorVideoVdp(pixels_per_degree=45)
  assert fake_cvvdp["EOTF"] == "linear" and fake_cvvdp["source_colorspace"] == "BT.709"
  assert fake_cvvdp["peak"] == 10000 and fake_cvvdp["peak"] / fake_cvvdp["contrast"] == 0.005
  assert fake_cvvdp["E_ambient"] == 0 and fake_cvvdp["ppd"] == 45
  pred, ref = pair()
  assert metric.score(ref, ref) == 10 and isinstance(metric.score(ref, ref), float)
  assert metric.score(pred, ref) == pytest.approx(10 - 2 / 3)
  assert metric.version == "ColorVideoVDP v0"


def test_cvvdp_names_what_is_missing(monkeypatch):
  monkeypatch.setitem(sys.modules, "pycvvdp", None)  # import fails
  with pytest.raises(UserError, match="pip install cvvdp .it needs PyTorch.") as caught:
    external_metrics.ColorVideoVdp()
  assert "\n" not in str(caught.value)


def test_images_that_are_no_pair(fake_cvvdp):
  metric = external_metrics.ColorVideoVdp()
  pred, ref = pair()
  for bad in (pred[..., 0], pred[:-1], np.full_like(pred, np.nan)):
    with pytest.raises(ValueError, match="shape|finite"):
      metric.score(bad, ref)
