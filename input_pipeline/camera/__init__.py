"""From HDR scenes to photos: `photograph`, on `panorama`, `resample` and `response`."""
