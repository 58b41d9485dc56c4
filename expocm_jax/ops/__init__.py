"""Pure functions of images in jnp, which import no other room: begin with `color`."""
