"""`shift`: two videos or two folders of predictions side by side."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import RUNS
from training.commands.predicting import Device, FrameStep, MaxFrames, Precision, progress

Input = Annotated[
    Path, typer.Argument(help="A folder of `predict` or of the service's results; with --model, a video.")
]


def shift(
    a: Input,
    b: Input,
    model: Annotated[Path | None, typer.Option(help="Predicts A and B where they are videos or pictures.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default runs/shift/A-B.")] = None,
    frame_step: FrameStep = 1,
    max_frames: MaxFrames = None,
    device: Device = "auto",
    precision: Precision = "fp32",
) -> None:
    """Domain shift from A to B: detection, coverage, and distances of their distributions; shift.json, .png, .md.

    Example: python -m training shift old.mp4 new.mp4 --model models/instruments/3 --frame-step 25
    """
    from training.domain_shift.run import compare  # noqa: PLC0415 - help must not wait for imports
    from training.errors import InputError  # noqa: PLC0415
    from training.models import open_model  # noqa: PLC0415
    from training.predict.run import Job, Request, predict  # noqa: PLC0415
    from training.predict.source import open_source  # noqa: PLC0415

    names = _name(a), _name(b)
    target = out or RUNS / "shift" / "-".join(names)
    opened = open_model(model, precision, device) if model else None
    folders = []
    for side, path in (("a", a), ("b", b)):
        if opened is None or model is None:
            if path.is_file() and path.suffix != ".zip":
                raise InputError(f"{path} is not predicted yet; name a model with --model")
            folders.append(path)
            continue
        source = open_source(path, frame_step, max_frames)
        request = Request(frame_step, max_frames, annotated=False)
        with progress(path.name, source.total) as on_frames:
            predict(Job(opened, model, source, path, target / side, request), on_frames)
        folders.append(target / side)
    numbers = compare(folders[0], folders[1], names, target)
    for key, found in numbers["distances"].items():
        typer.echo(f"{key}: PSI {found['psi']:.3f} ({found['reading']})")
    typer.echo(f"written: {target / 'shift.json'}, .png, .md")


def _name(path: Path) -> str:
    """Of what was predicted, where `predict` noted it."""
    from training.analyse.run import known_input  # noqa: PLC0415

    return (known_input(path) or path.resolve()).stem
