"""`analyse`: numbers and pictures of generated masks."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.predicting import progress


def analyse(
    folder: Annotated[
        Path, typer.Argument(help="What `predict` wrote, results of the service (masks.zip), or index PNGs.")
    ],
    frames: Annotated[
        Path | None, typer.Option(help="The video or pictures that were predicted, for the sample panels.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default FOLDER.")] = None,
) -> None:
    """Detection rate, coverage and stability over time of generated masks: analysis.json, .png, .md.

    Example: python -m training analyse runs/predict/clip
    """
    from training.analyse.masks import MaskFolder  # noqa: PLC0415 - help must not wait for imports
    from training.analyse.run import analyse as run  # noqa: PLC0415

    masks = MaskFolder(folder)
    target = out or (folder if folder.is_dir() else folder.parent)
    with progress(folder.name, len(masks)) as on_frames:
        analyses = run(masks, target, frames, on_frames)
    for entry in analyses[1:]:
        typer.echo(f"{entry.name}: seen in {100 * entry.detection_rate:.1f}% of {entry.frames} frames")
    typer.echo(f"written: {target / 'analysis.json'}, .png, .md")
