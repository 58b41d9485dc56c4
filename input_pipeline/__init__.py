"""From images on disk to batches: `source` (config to records and examples), then `batches`."""
