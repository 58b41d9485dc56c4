"""Small trees in exactly the layouts of the known datasets."""

import imagecodecs
import numpy as np

from expocm_jax import image_io

SIZE = (12, 16)
RATIO = 20000.0


def srgb(linear):
  linear = np.clip(linear, 0.0, 1.0)
  high = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
  return np.where(linear <= 0.0031308, 12.92 * linear, high)


def scene(seed, size=SIZE):
  """(ldr, hdr) [*size, 3] with 1.0 = clip: a ramp from the dark to four times white."""
  rng = np.random.default_rng(seed)
  ramp = np.geomspace(0.01, 4.0, size[1])[None, :, None]
  hdr = ramp * rng.uniform(0.7, 1.0, (*size, 1)) * rng.uniform(0.9, 1.0, (*size, 3))
  return srgb(hdr).astype(np.float32), hdr.astype(np.float32)


def write(ldr_path, hdr_path, seed, size=SIZE, scale=1.0):
  ldr, hdr = scene(seed, size)
  hdr = hdr * np.float32(scale)
  for path in (ldr_path, hdr_path):
    path.parent.mkdir(parents=True, exist_ok=True)
  if ldr_path.suffix == ".jpg":
    codes = np.rint(ldr * 255).astype(np.uint8)
    ldr_path.write_bytes(imagecodecs.jpeg8_encode(codes, level=100, subsampling="444"))
  else:
    image_io.write_png(ldr_path, ldr)
  if hdr_path.suffix == ".npy":
    np.save(hdr_path, hdr)
  else:
    image_io.write_hdr(hdr_path, hdr, exr_dtype="float")


def scenes(root, count=2, first=1, size=SIZE):
  """The test layout of HDR-REAL, and HDR-EYE: NNNNN/{input.jpg,gt.hdr,gt.png}."""
  for number in range(first, first + count):
    folder = root / f"{number:05d}"
    write(folder / "input.jpg", folder / "gt.hdr", number, size, scale=3.0 * number)
    image_io.write_png(folder / "gt.png", scene(number, size)[0])


def hdr_real_train(root, count=3, stem="hdr"):
  for number in range(count):
    ldr, hdr = f"LDR_in/ldr_{number:02d}.jpg", f"HDR_gt/{stem}_{number:02d}.hdr"
    write(root / ldr, root / hdr, number, scale=100.0)


def hdr_real(root):
  hdr_real_train(root)
  scenes(root / "test")


def aim2025(root):
  for number, suffix in enumerate((".npy", ".hdr", ".exr")):
    stem = f"{number:06d}"
    write(root / f"LDR_in/{stem}.jpg", root / f"HDR_gt/{stem}{suffix}", number, scale=250.0)


def ntire21(root, names=("0001", "0002")):
  root.mkdir(parents=True, exist_ok=True)
  for name in names:
    ldr, hdr = scene(int(name))
    image_io.write_png(root / f"{name}_medium.png", ldr)
    encoded = np.rint(hdr.astype(np.float64) ** (1 / 2.24) * RATIO).astype(np.uint16)
    (root / f"{name}_gt.png").write_bytes(imagecodecs.png_encode(encoded))
    np.save(root / f"{name}_alignratio.npy", np.float64(RATIO))


def si_hdr(root, below=""):
  for number in (1, 2):
    for clip in ("clip_95", "clip_97"):
      ldr = root / "input" / clip / below / f"{number:03d}.png"
      write(ldr, root / "reference" / below / f"{number:03d}.exr", number, (12, 18), scale=40.0)


def hdr_synth(root):
  for split, count in (("train", 3), ("test", 1)):
    for number in range(count):
      path = root / split / f"{split}{number}.hdr"
      path.parent.mkdir(parents=True, exist_ok=True)
      image_io.write_hdr(path, 7 * scene(number, (20, 24))[1])


def folder(root):
  for number, stem in enumerate(("a", "b", "c")):
    write(root / f"ldr/{stem}.png", root / f"hdr/{stem}.exr", number)


TREES = {
  "folder": folder,
  "hdr_real": hdr_real,
  "hdr_synth": hdr_synth,
  "hdr_eye": scenes,
  "aim2025": aim2025,
  "ntire21": ntire21,
  "si_hdr": si_hdr,
}
