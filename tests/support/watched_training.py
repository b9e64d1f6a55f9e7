"""`python tests/support/watched_training.py FOLDER train ...`: `training`, and which frames each process learns from.

FOLDER/<rank>.txt gets a line for each batch: a checksum of every frame in it.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

ROOT = Path(__file__).parents[2]


def checksum(frame: np.ndarray) -> str:
    """Of uint8 [h, w, 3]."""
    return hashlib.sha256(np.ascontiguousarray(frame).tobytes()).hexdigest()


def main() -> None:
    """`sys.argv` stays as it is: Lightning starts the other processes with it."""
    sys.path.insert(0, str(ROOT))
    from training.__main__ import app
    from training.nets.segmentation import SegmentationNet

    folder = Path(sys.argv[1])

    def note(module: nn.Module, inputs: Any) -> None:
        if isinstance(module, SegmentationNet) and module.training:
            frames = inputs[0].permute(0, 2, 3, 1).numpy()
            with (folder / f"{os.environ.get('LOCAL_RANK', '0')}.txt").open("a") as file:
                file.write(" ".join(map(checksum, frames)) + "\n")

    register_module_forward_pre_hook(note)
    app(args=sys.argv[2:])


if __name__ == "__main__":
    main()
