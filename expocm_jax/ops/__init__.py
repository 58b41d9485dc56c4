"""Pure functions of images: colour, tone curves, metrics, regions."""
