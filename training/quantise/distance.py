"""How far the masks of a trial file are from those of FP32."""

import numpy as np

from service.backends import Backend
from service.imaging.geometry import U8, decide


def mask_distance(frames: U8, reference: U8, backend: Backend, threshold: float) -> float:
    """1 minus the Dice between the masks of `backend` and those of the probabilities `reference` uint8 [N, C, h, w].

    Over the pixels of all frames together, so that a speck on one frame does not decide; mean over the foreground
    classes that either mask holds; 0 when none does.
    """
    classes = range(1, max(2, reference.shape[1]))
    both, either = np.zeros(len(classes)), np.zeros(len(classes))
    for frame, planes in zip(frames, reference, strict=True):
        expected, found = decide(planes, threshold), decide(backend.run(frame[np.newaxis])[0], threshold)
        both += [np.sum((expected == i) & (found == i)) for i in classes]
        either += [np.sum(expected == i) + np.sum(found == i) for i in classes]
    seen = either > 0
    return float(np.mean(1 - 2 * both[seen] / either[seen])) if seen.any() else 0.0
