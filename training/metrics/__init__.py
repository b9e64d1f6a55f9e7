"""Scores of masks: counts of pixels, distances of outlines, confusion, and how sure a mean is."""

from training.metrics.counts import Counter, Scores

__all__ = ["Counter", "Scores"]
