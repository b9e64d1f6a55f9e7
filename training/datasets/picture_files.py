"""Pictures and masks as files. What cannot be read whole is refused by its name."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture file as RGB uint8 [H, W, 3]."""
    return np.asarray(cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """A mask file as uint8 [H, W]. Colour masks whose channels agree (alpha aside) give the one channel."""
    mask = _decode(path, cv2.IMREAD_UNCHANGED)
    if mask.dtype != np.uint8:
        raise DatasetError(f"{path} holds {mask.dtype} pixels; masks have 8 bits")
    if mask.ndim == 3:
        mask = mask[..., 0]
    return np.ascontiguousarray(mask, dtype=np.uint8)


def find_one(candidates: Iterable[Path]) -> Path:
    """The first of `candidates` that exists; raises with all of them named."""
    tried = list(candidates)
    for path in tried:
        if path.is_file():
            return path
    raise DatasetError(f"none of these files exists: {', '.join(str(path) for path in tried)}")


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), pixels):
        raise DatasetError(f"{path} could not be written")


def check_ids(mask: NDArray[np.uint8], known: list[int], origin: Path) -> list[int]:
    """The class ids in `mask`; raises for those that are not `known`."""
    seen = [int(i) for i in np.flatnonzero(np.bincount(mask.ravel(), minlength=256))]
    unknown = sorted(set(seen) - set(known))
    if unknown:
        raise DatasetError(f"the mask of {origin} holds the class ids {unknown[:5]}; the data set names {known}")
    return seen


def _decode(path: Path, flags: int) -> NDArray[np.integer[Any]]:
    """A picture as OpenCV decodes it. A file that was cut off is refused: decoders fill what is missing with grey."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} is missing or no readable picture") from error
    if data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise DatasetError(f"{path} is cut off: its JPEG data has no end")
    if data.startswith(b"\x89PNG") and b"IEND" not in data[-1024:]:
        raise DatasetError(f"{path} is cut off: its PNG data has no end")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if picture is None:
        raise DatasetError(f"{path} is missing or no readable picture")
    return np.asarray(picture)
