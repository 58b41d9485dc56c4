"""Training: the step, the loop, validation."""
