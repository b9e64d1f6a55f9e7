"""Readers of published layouts, each into the canonical data set of `training.datasets.base`."""
