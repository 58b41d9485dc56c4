"""Numbers that others published, to stand beside ours on the same set: never ranked with them.

Source: the tables of the ExpoCM paper (arXiv 2605.02464), as far as public notes reproduce them.
The protocol is the paper's own and partly unstated (normaliser, LPIPS network, the colours that
Delta E is taken of), so these numbers tell the neighbourhood and not who is better.
"""

CAPTION = "published (the paper's own protocol, partly unstated; not ranked with ours)"

# The columns of the rows.
METRICS = ("psnr_mu", "ssim_mu", "hdrvdp2", "hdrvdp3", "lpips_alex", "delta_e_2000")
_ROWS = {
  "HDR-REAL": {
    "DDPM 1000": (25.45, 0.8173, 43.52, 7.45, 0.1921, 10.40),
    "Reti-Diff": (27.64, 0.8354, 42.08, 7.31, 0.2645, 4.83),
    "HDRDiff": (27.77, None, None, None, None, None),
    "ExpoCM, uniform trajectory, no ELC": (21.09, 0.6917, None, None, None, None),
    "ExpoCM, uniform trajectory + ELC": (21.26, None, None, None, None, 12.04),
    "ExpoCM, two masks, no ELC": (25.75, 0.8076, None, None, None, None),
    "ExpoCM, three masks, no ELC": (25.84, 0.8282, None, None, None, None),
    "ExpoCM, unweighted Lab loss": (28.56, None, None, None, None, 4.06),
    "ExpoCM": (28.66, 0.8684, 44.27, 7.72, 0.1919, 4.02),
  },
  "HDR-EYE": {
    "DDIM": (16.98, 0.7647, 53.47, 7.92, 0.2007, 13.19),
    "ExpoCM": (20.75, 0.8017, 44.09, 7.94, 0.2353, 9.68),
  },
  "AIM 2025": {
    "HDRUNet": (25.88, 0.8709, 57.83, 7.06, 0.2218, 4.46),
    "DDPM 1000": (23.03, 0.8320, 75.57, 8.78, 0.1286, 7.91),
    "ExpoCM, uniform trajectory, no ELC": (27.90, None, None, None, None, None),
    "ExpoCM, two masks, no ELC": (28.48, None, None, None, None, None),
    "ExpoCM, three masks, no ELC": (28.89, None, None, None, None, None),
    "ExpoCM": (29.02, 0.8922, 74.01, 8.68, 0.1511, 3.90),
  },
}


def rows(published_set: str | None) -> dict[str, dict[str, float]]:
  """Published scores of a set: {method: {metric: score}}; empty for None and any other set.

  `published_set` is the record's field of that name: the catalogue's title of the set, where its
  test split was evaluated as the papers do, on uncropped images; else None.
  """
  return {
    method: {m: score for m, score in zip(METRICS, scores, strict=True) if score is not None}
    for method, scores in _ROWS.get(published_set, {}).items()
  }
