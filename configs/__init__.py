"""Configurations: `default` has every field, the others are short deltas of it."""
