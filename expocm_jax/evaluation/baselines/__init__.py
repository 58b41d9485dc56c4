"""Methods that ours is compared with."""
