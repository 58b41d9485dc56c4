"""Small evaluation records, with and without image files, for the tests of the reports."""

import numpy as np

from expocm_jax import image_io
from expocm_jax.evaluation import report

PROTOCOLS = ("headroom", "mu-refmax+gain")
KEYS = ("psnr_mu/all", "psnr_mu/clipped", "delta_e_2000/all", "lpips_alex/all")
REGIONS = ("all", "clipped", "dark", "well_exposed")
REGION_METRICS = ("psnr_mu", "ssim_mu", "delta_e_2000", "pu21_psnr", "pu21_ssim")
ALL_KEYS = [f"{metric}/{region}" for region in REGIONS for metric in REGION_METRICS]
ALL_KEYS += ["lpips_vgg/all", "lpips_alex/all", "hdrvdp3/all", "cvvdp/all"]
ALL_KEYS += ["light/clipped", "peak/all", "texture/clipped"]
ALL_KEYS += ["fidelity/well_exposed", "fidelity_p99/well_exposed"]


def make(scores, *, scenes=None, cameras=(), protocols=PROTOCOLS, published_set=None, seed=3):
  """A record of `scores`: one dict {method: {key: value}} an image, the same in all protocols.

  `cameras` has each image's.
  """
  methods = list(scores[0])
  images = [
    {
      "name": f"image_{i}",
      "camera": cameras[i] if cameras else "own",
      "scene": scenes[i] if scenes else f"scene {i}",
      "pixels": {
        "all": 100,
        "clipped": 20 * (i % 3),
        "dark": 10,
        "well_exposed": 90 - 20 * (i % 3),
      },
      "files": {},
      "scores": {m: {p: dict(values) for p in protocols} for m, values in by_method.items()},
    }
    for i, by_method in enumerate(scores)
  ]
  return {
    "title": "Test of <tiny> & co",
    "dataset": published_set or "HDR-REAL",  # a name alone does not tell what a folder holds
    "published_set": published_set,
    "command": "python main.py --mode=evaluate --weights=tiny",
    "created": "2026-01-02T03:04:05+00:00",
    "versions": {"expocm_jax": "0.0", "jax": "0.10"},
    "device": "cpu",
    "seed": seed,
    "size": [12, 16],
    "peak_nits": 1000.0,
    "headroom": 16.0,
    "mu": 500.0,
    "protocols": {name: f"what {name} divides by; peak 1" for name in protocols},
    "methods": {
      name: {
        "label": f"the method {name}",
        "trained": name == "tiny",
        "sha256": "f" * 64 if name == "tiny" else None,
        "parameters": 1234 if name == "tiny" else None,
      }
      for name in methods
    },
    "main": methods[-1],
    "reading": "display" if cameras else None,
    "cameras": {name: f"what {name} is" for name in dict.fromkeys(cameras or ["own"])},
    "images": images,
  }


def random_scores(count, *, keys=("psnr_mu/all", "delta_e_2000/all"), methods=("linear", "tiny")):
  """Scores between 20 and 30, one dict an image."""
  rng = np.random.default_rng(5)
  return [{m: {k: float(rng.uniform(20, 30)) for k in keys} for m in methods} for _ in range(count)]


def full(**options):
  """A record of six images and three methods with every score that there is."""
  scores = random_scores(6, keys=ALL_KEYS, methods=("linear", "akyuz", "tiny:ddim-50"))
  return make(scores, **options)


def simple(**values):
  """A record of two images with the same scores: {method: (PSNR, Delta E)}."""
  scores = {m: {"psnr_mu/all": p, "delta_e_2000/all": d} for m, (p, d) in values.items()}
  return make([scores, scores])


def add_files(record, folder, *, shape=(12, 16), exact=0):
  """Writes images of that shape for every entry; the output of image `exact` is the reference."""
  rng = np.random.default_rng(7)
  (folder / "images").mkdir()
  for i, image in enumerate(record["images"]):
    stem = f"images/{image['name']}"
    reference = (2.0 ** rng.uniform(-9, 4, (*shape, 3))).astype(np.float32)
    output = reference if i == exact else reference * rng.uniform(0.5, 1.5, reference.shape)
    files = {"ldr": f"{stem}.ldr.png", "masks": f"{stem}.masks.png"}
    files |= {name: f"{stem}.{name}.exr" for name in ("output", "reference")}
    image_io.write_png(folder / files["ldr"], rng.uniform(size=reference.shape))
    image_io.write_png(folder / files["masks"], np.eye(3)[rng.integers(3, size=shape)])
    image_io.write_hdr(folder / files["output"], output.astype(np.float32))
    image_io.write_hdr(folder / files["reference"], reference)
    image["files"] = files
  return record


def write(folder):
  """(folder, record, summary) of six images, the last of another camera than the others.

  The output of the first is its reference, the second has a name that HTML must not take literally.
  """
  scores = random_scores(6, keys=KEYS, methods=("linear", "akyuz", "tiny"))
  scores[0]["tiny"]["psnr_mu/all"] = float("inf")
  scores[3]["tiny"]["psnr_mu/clipped"] = None
  for image, light in zip(scores, (-1.0, -0.4, 0.3, 0.1, -0.2, 2.0), strict=True):
    image["linear"]["light/clipped"], image["tiny"]["light/clipped"] = -0.5, light
  cameras = ["srgb"] * 5 + ["filmic"]
  record = add_files(make(scores, cameras=cameras, published_set="HDR-EYE"), folder)
  record["images"][1]["name"] = "</script><b>&\u2028"
  return folder, record, report.write(folder, record)


def encoded(linear):
  """Linear light to display-referred sRGB, in float64."""
  x = np.clip(linear, 0, 1)
  return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
