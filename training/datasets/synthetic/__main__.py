"""`python -m training.datasets.synthetic OUT`: make the examples again, or a clip with its truth."""

from pathlib import Path
from typing import Annotated

import typer

from training.datasets.synthetic.clips import write_clip, write_examples


def synthesise(
    out: Annotated[Path, typer.Argument(help="Folder to write to; it is made if it is not there.")],
    seed: Annotated[int | None, typer.Option(help="Write one clip of this seed in place of the examples.")] = None,
    seconds: Annotated[float, typer.Option(min=0.04, help="Length of that clip.")] = 6.0,
    instruments: Annotated[
        int | None, typer.Option(min=0, max=3, help="How many; drawn from the seed if left out.")
    ] = None,
) -> None:
    """Write synthetic endoscopic pictures: the examples, or with --seed clip.mp4 and its index masks in masks/."""
    if seed is None:
        for path in write_examples(out):
            typer.echo(f"{path} ({path.stat().st_size / 1000:.0f} kB)")
        return
    out.mkdir(parents=True, exist_ok=True)
    frames = write_clip(out / "clip.mp4", out / "masks", seed, seconds, instruments=instruments)
    typer.echo(f"{out / 'clip.mp4'} and {frames} masks in {out / 'masks'}")


if __name__ == "__main__":
    typer.run(synthesise)
