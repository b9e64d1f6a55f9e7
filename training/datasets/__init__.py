"""From published layouts, own annotations and generators to the canonical data set of `training.datasets.index`."""
