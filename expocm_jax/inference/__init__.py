"""From a photo to an HDR image, at any size; read `reconstructor` first."""
