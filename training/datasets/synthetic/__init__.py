"""Endoscopic-looking pictures and clips with exact truth, drawn from a seed: no data needed, no torch imported."""

from training.datasets.synthetic.scene import SyntheticFrame, render_clip, render_frame

__all__ = ["SyntheticFrame", "render_clip", "render_frame"]
