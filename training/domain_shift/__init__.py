"""Two videos, or two folders of predictions, side by side: how far is one from the other, for this model."""
