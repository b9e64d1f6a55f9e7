"""Kvasir-Instrument, in the layout of its archive, and the boxes that Kvasir-SEG has too."""

import json
from pathlib import Path

from tests.support.published.pictures import channels, flat, halves, write_picture

RIGHT_HALF = {"xmin": 16, "ymin": 0, "xmax": 31, "ymax": 15}


def boxes_json(names: list[str], **changed: dict[str, int]) -> str:
    frames = {n: {"height": 16, "width": 32, "bbox": [{"label": "x", **changed.get(n, RIGHT_HALF)}]} for n in names}
    return json.dumps(frames)


def write_instrument(root: Path, count: int = 20) -> list[str]:
    names = [f"ck{number:04d}" for number in range(count)]
    for name in names:
        write_picture(root / "images" / f"{name}.jpg", flat(100))
        write_picture(root / "masks" / f"{name}.png", channels(halves(0, 255)))
    (root / "bboxes.json").write_text(boxes_json(names))
    (root / "train.txt").write_text("".join(f"{name}\n" for name in names[: count * 4 // 5]))
    (root / "test.txt").write_text("".join(f"{name}\n" for name in names[count * 4 // 5 :]))
    return names
