"""Scores of models. Here: what export and training need; `training.evaluate.run` makes the full report."""

from training.evaluate.scoring import ScoredFrame, evaluate, open_package, predict, predict_use

__all__ = ["ScoredFrame", "evaluate", "open_package", "predict", "predict_use"]
