"""Data sets on disk and made up, one file a kind."""
