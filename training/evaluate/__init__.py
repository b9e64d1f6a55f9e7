"""Scores of models: `run` makes the full report, `scoring` what a manifest holds."""
