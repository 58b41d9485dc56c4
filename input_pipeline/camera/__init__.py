"""The camera model: from HDR scenes to photos."""
