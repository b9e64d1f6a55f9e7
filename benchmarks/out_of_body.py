"""How often the rule for frames out of the body says so: folders of pictures, and drawn out-of-body frames by kind.

    python benchmarks/out_of_body.py FOLDER ... [--drawn 300] [--first-seed 900000]

A folder is searched for JPEG and PNG files whose name matches --pattern.
"""

import argparse
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import typer

from service.imaging.geometry import resize
from service.video.over_time.out_of_body import is_out_of_body
from training.datasets.out_of_body.render import kind_of, render

SIDE = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--pattern", default="*.*")
    parser.add_argument("--drawn", type=int, default=0)
    parser.add_argument("--first-seed", type=int, default=900_000)
    given = parser.parse_args()
    for folder in given.folders:
        found = [judged for path in sorted(folder.rglob(given.pattern)) if (judged := _judge(path)) is not None]
        typer.echo(f"{folder.name}: {sum(found)} of {len(found)} out of the body ({100 * np.mean(found):.1f}%)")
    _drawn(range(given.first_seed, given.first_seed + given.drawn))


def _judge(path: Path) -> bool | None:
    if path.suffix.lower() not in {".jpg", ".jpeg", ".png"} or (bgr := cv2.imread(str(path))) is None:
        return None
    return is_out_of_body(resize(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), SIDE, SIDE))


def _drawn(seeds: range) -> None:
    total, outside = Counter[str](), Counter[str]()
    for seed in seeds:
        kind = kind_of(seed)
        total[kind] += 1
        outside[kind] += is_out_of_body(resize(render(seed), SIDE, SIDE))
    for kind in sorted(total):
        typer.echo(f"drawn {kind}: {outside[kind]} of {total[kind]}")
    if total:
        typer.echo(f"drawn, all: {outside.total()} of {total.total()} ({100 * outside.total() / total.total():.1f}%)")


if __name__ == "__main__":
    main()
