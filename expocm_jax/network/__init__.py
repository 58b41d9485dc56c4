"""The U-Net and its optional extras; the only room that knows flax."""
