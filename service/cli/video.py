"""`video`: a whole video without a server, by the worker's own code."""

from pathlib import Path

import cv2
import typer
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn

from service.cli.segment import newest_package
from service.memory import share_heaps
from service.settings import Settings
from service.video.decoding.limits import DecoderLimits
from service.video.options import VideoOptions
from service.video.pipeline import process_file
from service.video.segments.model import load_for_videos
from service.video.segments.threads import codec_threads


def annotate_video(settings: Settings, file: Path, out: Path, model: str | None, options: VideoOptions) -> None:
    """Write annotated.mp4, tables, masks, summary and report into `out`; raises UndecodableVideo, StartError."""
    share_heaps()
    cv2.setNumThreads(1)  # the stages run beside each other already
    loaded = load_for_videos(newest_package(settings, model), settings)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(file.name, total=None)
        process_file(
            file,
            out,
            loaded,
            options,
            lambda done, total: progress.update(task, completed=done, total=total),
            DecoderLimits.of(settings),
            codec_threads(settings),
        )
    typer.echo(f"{out}: {', '.join(options.files)}")
