"""From images on disk to global device arrays: camera, sources, datasets, pipeline."""
