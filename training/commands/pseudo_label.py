"""`pseudo-label`: unlabelled frames become training data where the model is sure."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DATASETS, Data
from training.commands.predicting import Device, FrameStep, MaxFrames, ModelPath, Precision, progress


def pseudo_label(
    model: ModelPath,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video, a picture or a folder of pictures, without masks.")
    ],
    name: Annotated[str, typer.Option(help="Name of the data set that is written under the folder of --data.")],
    data: Data = DATASETS,
    frame_step: FrameStep = 1,
    max_frames: MaxFrames = None,
    keep: Annotated[
        float, typer.Option(min=0, max=1, help="Accept at most this share of the frames, least doubtful first.")
    ] = 0.6,
    limit_scale: Annotated[
        float, typer.Option(min=0.01, help="Multiplies the limits: below 1 is stricter, above 1 more trusting.")
    ] = 1.0,
    empty: Annotated[
        bool, typer.Option("--empty", help="Accept frames in which nothing is found, too, where the model is sure.")
    ] = False,
    accept: Annotated[
        Path | None,
        typer.Option(metavar="LIST.txt", help="Ids that a person accepted, one a line: they alone become training."),
    ] = None,
    device: Device = "auto",
    precision: Precision = "fp32",
) -> None:
    """Label frames with a model; keep the masks that it is sure of, rank the others for correction.

    Example: python -m training pseudo-label models/instruments/3 clip.mp4 --name clip-pseudo --frame-step 25
    """
    from training.models import open_model  # noqa: PLC0415
    from training.predict.source import open_source  # noqa: PLC0415
    from training.pseudo_label.choice import Rules, read_ids  # noqa: PLC0415
    from training.pseudo_label.criteria import Limits  # noqa: PLC0415
    from training.pseudo_label.run import Job  # noqa: PLC0415
    from training.pseudo_label.run import pseudo_label as run  # noqa: PLC0415

    ids = read_ids(accept) if accept else None
    opened = open_source(source, frame_step, max_frames)
    job = Job(open_model(model, precision, device), model, opened, frame_step, data / name)
    rules = Rules(Limits().scaled(limit_scale), keep, empty)
    with progress(source.name, opened.total) as on_frames:
        summary = run(job, rules, ids, on_frames)
    typer.echo(f"{job.root}: {summary['accepted']} of {summary['frames']} frames accepted; see doubt.csv and sheets/")
