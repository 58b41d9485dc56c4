"""A file of response curves in the format of DoRF's dorfCurves.txt."""

import numpy as np

AXIS = np.linspace(0.0, 1.0, 1024)
CURVES = {"square": AXIS**2, "bulge": AXIS * (2 - AXIS)}


def write_dorf(path):
  lines = []
  for name, brightness in CURVES.items():
    numbers = (" ".join(f"{v:.8f}" for v in values) for values in (AXIS, brightness))
    irradiances, brightnesses = numbers
    lines += [name, "graph type", "I =", irradiances, "B =", brightnesses]
  path.write_text("\n".join(lines) + "\n")
  return str(path)
