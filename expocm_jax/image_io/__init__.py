"""Image files in, arrays out, and back; numpy on the host, no jax.

Two kinds of picture:
  ldr  [H, W, 3] float32 in [0, 1], display-referred sRGB (JPEG, PNG, WebP, TIFF)
  hdr  [H, W, 3] float32, finite, >= 0, linear BT.709 radiance in the file's own scale
       (OpenEXR, Radiance .hdr, and float .npy or TIFF)
Begin with `ldr` and `hdr`, which look at a file's content, not its name, and call the module
of its format. Whatever is wrong with a file is raised as `UserError` in one line
(`input_files`); everything is written under a temporary name and renamed (`atomic_write`).
The codecs are imported when first needed.
"""

from expocm_jax.image_io.atomic_write import atomic_path, output_folder
from expocm_jax.image_io.hdr import read_hdr, write_hdr
from expocm_jax.image_io.input_files import HDR_SUFFIXES, LDR_SUFFIXES, MAX_PIXELS, list_images
from expocm_jax.image_io.jpeg_png_webp import write_png
from expocm_jax.image_io.ldr import read_ldr

__all__ = [
  "HDR_SUFFIXES",
  "LDR_SUFFIXES",
  "MAX_PIXELS",
  "atomic_path",
  "list_images",
  "output_folder",
  "read_hdr",
  "read_ldr",
  "write_hdr",
  "write_png",
]
