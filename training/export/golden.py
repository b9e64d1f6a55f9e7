"""The frames that travel inside a package, by which loading knows that a backend computes what PyTorch did.

Drawn, and never of a data set, whose licence or patients a package must not carry. What the net marks in them matters:
masks without foreground agree with one another whatever a backend does to the edges of an instrument.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.backends import Backend
from service.imaging.geometry import U8, InputSpec, decide, prepare
from training.datasets.synthetic import render_frame

GOLDEN_SEEDS = range(11, 43)
"""Frames to choose from."""
GOLDEN_FRAMES = 3
"""Chosen ones; a frame of noise is added."""
ENOUGH = 0.25
"""Foreground of each class, in shares of a frame over all that were drawn, after which no more are drawn."""
PARITY_SEEDS = range(11, 20)


def own_frames(spec: InputSpec, seeds: Sequence[int]) -> U8:
    """Synthetic frames and one of noise, uint8 [N, h, w, 3]."""
    frames = [prepare(render_frame(seed).image, spec) for seed in seeds]
    noise = np.random.default_rng(0).integers(0, 256, (spec.height, spec.width, 3), dtype=np.uint8)
    return np.stack([*frames, noise])


def golden_frames(backend: Backend, spec: InputSpec, threshold: float) -> U8:
    """As `own_frames`, of those seeds in whose frames the net marks most of every class; the first ones if of none."""
    shares = []
    for seed in GOLDEN_SEEDS:
        planes = backend.run(prepare(render_frame(seed).image, spec)[np.newaxis])[0]
        shares.append(foreground_shares(planes, threshold))
        if len(shares) >= GOLDEN_FRAMES and (np.sum(shares, axis=0) >= ENOUGH).all():
            break
    return own_frames(spec, [GOLDEN_SEEDS[i] for i in choose(np.stack(shares), GOLDEN_FRAMES)])


def foreground_shares(planes: U8, threshold: float) -> NDArray[np.float64]:
    """Probabilities uint8 [C, h, w] -> share of the pixels of each class but the background."""
    counts = np.bincount(decide(planes, threshold).ravel(), minlength=max(2, len(planes)))
    shares: NDArray[np.float64] = counts[1:] / counts.sum()
    return shares


def choose(shares: NDArray[np.float64], count: int) -> list[int]:
    """`shares` [frames, classes] -> `count` frames, each the one that adds most to the classes that have least.

    The root lets a further frame of a class gain less. A class that fills a frame has no more of an edge there than one
    that is missing.
    """
    chosen: list[int] = []
    edged = np.minimum(shares, 1 - shares)
    held = np.zeros(shares.shape[1])
    while len(chosen) < min(count, len(shares)):
        gains = (np.sqrt(held + edged) - np.sqrt(held)).sum(axis=1)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        held = held + edged[chosen[-1]]
    return sorted(chosen)
