"""The U-Net and its options, the only room that knows flax; read `layers`, then `unet`."""
