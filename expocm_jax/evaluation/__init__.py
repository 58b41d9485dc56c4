"""Scores of methods under protocols, and their report."""
