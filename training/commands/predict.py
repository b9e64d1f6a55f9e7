"""`predict`: a model over a video, a picture or a folder of pictures."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import RUNS
from training.commands.predicting import Device, FrameStep, MaxFrames, ModelPath, Precision, progress


def predict(
    model: ModelPath,
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A video, a picture or a folder of pictures.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; default runs/predict/<INPUT's name>.")] = None,
    frame_step: FrameStep = 1,
    max_frames: MaxFrames = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    annotated: Annotated[bool, typer.Option(help="Write annotated.mp4 (annotated.jpg for one picture).")] = True,
    gif: Annotated[bool, typer.Option("--gif", help="Write preview.gif, at most 120 frames.")] = False,
    gif_width: Annotated[int, typer.Option(min=16, max=800, help="Width of the GIF in pixels.")] = 320,
    gif_fps: Annotated[float, typer.Option(min=0.5, max=25, help="Frames a second of the GIF.")] = 8,
) -> None:
    """Predict masks, numbers and an annotated film. Taken up where it broke off when called again.

    Example: python -m training predict models/instruments/3 examples/clip.mp4 --frame-step 5 --gif
    """
    from training.models import open_model  # noqa: PLC0415 - help must not wait for imports
    from training.predict.run import Job, Request  # noqa: PLC0415
    from training.predict.run import predict as run  # noqa: PLC0415
    from training.predict.source import open_source  # noqa: PLC0415

    opened = open_source(source, frame_step, max_frames)
    request = Request(frame_step, max_frames, annotated, gif, gif_width, gif_fps)
    folder = out or RUNS / "predict" / source.resolve().stem
    job = Job(open_model(model, precision, device), model, opened, source, folder, request)
    with progress(source.name, opened.total) as on_frames:
        summary = run(job, on_frames)
    rate, coverage = 100 * summary["detection_rate"], 100 * summary["mean_coverage"]
    typer.echo(f"{folder}: {summary['frames']} frames, {rate:.1f}% with a detection, mean coverage {coverage:.1f}%")
