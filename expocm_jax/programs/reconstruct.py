"""Reconstructs HDR images from photos on disk: `--mode=reconstruct`."""

import itertools
import math
import os
import pathlib
import sys
from collections.abc import Iterable, Sequence

import jax
import numpy as np
import tqdm

from expocm_jax import image_io
from expocm_jax.colorimetry import LUMA, srgb_to_linear
from expocm_jax.errors import UserError, first_line
from expocm_jax.inference.preview import preview_sheet
from expocm_jax.inference.reconstructor import Reconstructor
from expocm_jax.inference.response import Reading, parse_response
from expocm_jax.ops import metrics

PREVIEW_SUFFIX = ".preview.png"
SCALE = "linear BT.709, 1.0 = the radiance at which the photo clips"
BLACK = float(srgb_to_linear(1 / 255))  # linear value of code 1 of 8 bits: nothing below counts
SAMPLE_PIXELS = 4_000_000  # at most about so many decide the figures that are printed

_fidelity = jax.jit(metrics.fidelity)


def main(
  *,
  input: str | os.PathLike | Iterable[str | os.PathLike],
  output: str | os.PathLike,
  weights: str | os.PathLike = "tiny",
  formats: Sequence[str] = ("exr",),
  exr_dtype: str = "half",
  response: str | None = None,
  **sampling: int,
) -> list[pathlib.Path]:
  """Writes an HDR file for each photo, and a preview, into the folder `output`.

  A photo `a.jpg` becomes `a.exr` and/or `a.hdr` and `a.preview.png`, with several samples also
  `a.std.exr`, their standard deviation. A file that cannot be read or written is reported and
  skipped. Returns the HDR files written.

  Args:
    input: a photo, a folder of photos, or several of either.
    output: a folder, made if need be.
    weights: a shipped name, a weights file, or a run's folder.
    formats: "exr", "hdr" or both.
    exr_dtype: "half" or "float".
    response: of the camera, undone first, as `inference.response.parse_response` reads it; None
      reads photos as the sRGB that they say they are.
    **sampling: seed, steps and samples of `Reconstructor.reconstruct`.

  Raises:
    UserError: weights or formats cannot be used, there is nothing to do, or files failed.
    ValueError: as `Reconstructor.reconstruct` and `image_io.write_hdr`.
  """
  known = [suffix[1:] for suffix in image_io.HDR_SUFFIXES]
  if not formats or not set(formats) <= set(known):
    raise UserError(f"--formats={','.join(formats)}: unknown; use {' and/or '.join(known)}")
  photos, failed = _photos(input)
  names = _output_names(photos)
  total = len(names) + len(failed)
  folder = image_io.output_folder(output)
  read = parse_response(response) if response is not None else np.asarray
  reading = f"response {pathlib.Path(response).name} undone" if response else "read as sRGB"
  reconstructor = Reconstructor.from_pretrained(weights)
  written = []
  with tqdm.tqdm(names.items(), unit="photo", disable=total == 1) as items:
    for photo, name in items:
      try:
        files, line = _one_photo(
          reconstructor,
          photo,
          folder / name,
          formats,
          exr_dtype=exr_dtype,
          read=read,
          reading=reading,
          **sampling,
        )
      except (UserError, MemoryError, jax.errors.JaxRuntimeError) as error:
        message = _problem(photo, error)
        if total == 1:
          raise UserError(message) from error
        failed.append(photo)
        _report(message)
      else:
        written += files
        tqdm.tqdm.write(line, file=sys.stdout)
  if failed:
    raise UserError(
      f"{len(failed)} of {total} inputs failed: {', '.join(map(str, failed))}; "
      + ("the others are done, " if len(failed) < total else "")
      + "see the lines above"
    )
  return written


def _problem(photo: pathlib.Path, error: Exception) -> str:
  """A line about a photo that failed; raises errors that are not the user's to mend."""
  if isinstance(error, UserError):
    return str(error)
  if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
    return f"{photo}: not enough memory ({first_line(error)}); use a smaller image or fewer --steps"
  raise error


def _report(message: object):
  """Prints a line about an input that is skipped, above the progress bar."""
  tqdm.tqdm.write(str(message), file=sys.stderr)


def dynamic_range(linear: np.ndarray) -> float:
  """Stops between the 0.1 and the 99.9 percentile of the luminance of a linear image.

  Luminance below code 1 of 8 bits (1/3295 of the photo's white) counts as that much, so that
  neither noise in the dark nor a zero stretches the range.
  """
  low, high = np.percentile(np.maximum(linear @ np.float32(LUMA), BLACK), [0.1, 99.9])
  return float(np.log2(high / low))


def fidelity_text(hdr: np.ndarray, ldr: np.ndarray) -> str:
  """What `metrics.fidelity` says of a result [H, W, 3] and its photo as read, in words.

  Of a large photo it sees every n-th pixel.
  """
  images = [_thinned(image).reshape(1, -1, 3) for image in (hdr, ldr)]
  count = images[0].shape[1]
  # Black pixels do not count. Made a power of two, few lengths are ever compiled.
  padding = ((0, 0), (0, 2 ** math.ceil(math.log2(count)) - count), (0, 0))
  mean, p99 = map(float, _fidelity(*(np.pad(image, padding) for image in images)))
  if math.isnan(mean):
    return "no pixel well exposed"
  return f"well-exposed pixels {mean:.1f} codes of 255 off the photo ({p99:.1f} at most for 99 %)"


def _thinned(image: np.ndarray) -> np.ndarray:
  """Every n-th row and column of a large image: enough to tell its dynamic range."""
  every = math.ceil(math.sqrt(image.shape[0] * image.shape[1] / SAMPLE_PIXELS))
  return image[::every, ::every]


def _one_photo(
  reconstructor: Reconstructor,
  photo: pathlib.Path,
  target: pathlib.Path,
  formats: Sequence[str],
  *,
  exr_dtype: str,
  read: Reading,
  reading: str,
  **sampling: int,
) -> tuple[list[pathlib.Path], str]:
  """Writes the files of one photo; the HDR files and the line to print."""
  ldr = read(image_io.read_ldr(photo))
  with tqdm.tqdm(unit="tile", desc=photo.name, leave=False, disable=None) as bar:

    def on_tile(finished: int, total: int):
      bar.total = total
      bar.update(finished - bar.n)

    result = reconstructor.reconstruct(ldr, on_tile=on_tile, **sampling)
  note = f"ExpoCM: relative radiance, {SCALE}, at most "
  note += f"{reconstructor.method.headroom:g}; photo {reading}"
  files = [target.with_name(f"{target.name}.{suffix}") for suffix in formats]
  for file in files:
    image_io.write_hdr(file, result.hdr, attributes={"comments": note}, exr_dtype=exr_dtype)
  names = [file.name for file in files]
  if result.std is not None:
    spread = target.with_name(f"{target.name}.std.exr")
    note = f"ExpoCM: standard deviation of {sampling['samples']} samples, {SCALE}"
    image_io.write_hdr(spread, result.std, attributes={"comments": note}, exr_dtype=exr_dtype)
    names.append(f"{spread.name} (spread of the samples)")
  image_io.write_png(target.with_name(target.name + PREVIEW_SUFFIX), preview_sheet(ldr, result.hdr))
  before = dynamic_range(srgb_to_linear(_thinned(ldr)))
  after = dynamic_range(_thinned(result.hdr))
  return files, (
    f"{photo.name}: {ldr.shape[1]} x {ldr.shape[0]} pixels, {reading}, "
    f"{before:.1f} -> {after:.1f} stops, brightest "
    f"{result.hdr.max():.2f} (1.0 = where the photo clips), {fidelity_text(result.hdr, ldr)} -> "
    f"{', '.join(names)}"
  )


def _photos(
  input: str | os.PathLike | Iterable[str | os.PathLike],
) -> tuple[list[pathlib.Path], list[str | os.PathLike]]:
  """The photos that the inputs name, and those of several inputs that name none, reported."""
  paths = [input] if isinstance(input, str | os.PathLike) else list(input)
  photos, failed = [], []
  for path in paths:
    try:
      photos += _photos_at(path)
    except UserError as error:
      if len(paths) == 1:
        raise
      failed.append(path)
      _report(error)
  if not photos:
    raise UserError(f"--input: none of {', '.join(map(str, paths))} holds a photo, see above")
  return photos, failed


def _photos_at(path: str | os.PathLike) -> list[pathlib.Path]:
  """The file, or those in the folder, without the previews of earlier runs."""
  if not os.fspath(path):
    raise UserError("--input: empty; name a photo or a folder")
  photos = [
    file
    for file in image_io.list_images(path, image_io.LDR_SUFFIXES)
    if not file.name.endswith(PREVIEW_SUFFIX)
  ]
  if not photos:
    raise UserError(f"{path}: holds only previews of earlier runs; name the photos' folder")
  _report_unread(pathlib.Path(path))
  return photos


def _report_unread(path: pathlib.Path):
  """Prints what else a folder holds, HDR images and hidden files aside: nobody shall miss it."""
  if not path.is_dir():
    return
  known = (*image_io.LDR_SUFFIXES, *image_io.HDR_SUFFIXES)
  entries = [e for e in sorted(path.iterdir()) if not e.name.startswith(".")]
  names = [e.name + "/" for e in entries if e.is_dir()]
  names += [e.name for e in entries if not e.is_dir() and e.suffix.lower() not in known]
  if names:
    listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    _report(f"{path}: {len(names)} more in it, not read ({listed}); photos there end in "
            f"{' '.join(image_io.LDR_SUFFIXES)}")  # fmt: skip


def _output_names(photos: Iterable[pathlib.Path]) -> dict[pathlib.Path, str]:
  """A name without suffix for each photo: its stem, and more where photos share it."""
  photos = list({photo.resolve(): photo for photo in photos}.values())  # each file once
  stems = [photo.stem.casefold() for photo in photos]  # some file systems ignore case
  names, taken = {}, set(stems)
  for photo, stem in zip(photos, stems, strict=True):
    name = photo.stem
    if stems.count(stem) > 1:
      longer = photo.name.replace(".", "_")
      candidates = itertools.chain([longer], (f"{longer}_{n}" for n in itertools.count(2)))
      name = next(candidate for candidate in candidates if candidate.casefold() not in taken)
      taken.add(name.casefold())
    names[photo] = name
  return names
