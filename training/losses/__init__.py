"""Losses by name and their weighted sum.

Shapes everywhere: logits float [N, C, H, W], class ids int64 [N, H, W]; C = 1 is the foreground of two classes.
Class weights are float [number of classes], background first, or None where all count alike.

Rule for a class that a frame does not hold: its term stays in. `dice`, `jaccard` and `tversky` have `SMOOTH` pixels in
numerator and denominator, so the term is 0 when nothing is predicted and nears 1 with every false positive; that of
`lovasz` is the largest probability that the class is given anywhere. Dropping the term, as many implementations do,
would leave hallucinations on tool-free frames to the other classes' pixels.
"""

from training.losses.total import segmentation_loss

__all__ = ["segmentation_loss"]
