"""Trained parameters on disk: weights files, runs, shipped sets."""
