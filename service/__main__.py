"""The command line. Commands import what they need when they run: `--help` and `serve` don't wait for plotting."""

# ruff: noqa: PLC0415

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from service.errors import EndomaskError
from service.logs import configure_logs
from service.settings import Settings
from service.video.options import LONGEST_BRIDGE_S, LONGEST_SMOOTHING, OutOfBodyChoice, VideoOptions

cli = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Segmentation of surgical images."
)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = None,
    workers: Annotated[
        int | None, typer.Option(help="Video worker processes beside the server.", min=0, max=64)
    ] = None,
) -> None:
    """Answer frames and videos over HTTP until Ctrl-C."""
    from service.server import serve as run

    given = {"host": host, "port": port, "workers": workers}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    configure_logs(settings.log_level)

    def announce(address: str) -> None:
        typer.echo(f"API docs  {address}/docs\nMetrics   {address}/metrics")
        sys.stdout.flush()

    run(settings, announce)


@cli.command()
def worker(
    exit_with_parent: Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Take video jobs from the queue until Ctrl-C."""
    settings = Settings()
    configure_logs(settings.log_level)
    if exit_with_parent:
        from service import supervisor

        supervisor.exit_with_parent(settings.shutdown_grace_seconds)
    from service.video.workers import worker as video_worker

    video_worker.run(settings)


@cli.command()
def segment(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Encoded images.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("masks"),
    model: Annotated[str | None, typer.Option(help="Model; the default one when left out.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="The model's own when left out.")] = None,
) -> None:
    """Write mask, overlay and JSON of images, without a server."""
    from service.cli.segment import segment_files

    raise typer.Exit(segment_files(Settings(), files, out, model, threshold))


@cli.command()
def video(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Any video that FFmpeg reads.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("video"),
    model: Annotated[str | None, typer.Option(help="Model; the default one when left out.")] = None,
    frame_step: Annotated[int, typer.Option(min=1, help="Segment every n-th frame.")] = 1,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Read the first n frames only.")] = None,
    smoothing: Annotated[
        int, typer.Option(min=1, max=LONGEST_SMOOTHING, help="Decide on the mean of the last n segmented frames.")
    ] = 1,
    bridge_s: Annotated[
        float, typer.Option(min=0, max=LONGEST_BRIDGE_S, help="Seconds out of view that don't end an interval.")
    ] = 0.0,
    out_of_body: Annotated[OutOfBodyChoice, typer.Option(help="What to do about frames outside the body.")] = "off",
) -> None:
    """Annotate a video and write its numbers and report, without a server."""
    from service.cli.video import annotate_video

    settings = Settings()
    configure_logs(settings.log_level)
    options = VideoOptions(
        frame_step=frame_step,
        max_frames=max_frames,
        segment_seconds=settings.segment_seconds,
        overlay_opacity=settings.overlay_opacity,
        encoder=settings.video_encoder,
        smoothing=smoothing,
        bridge_s=bridge_s,
        out_of_body=out_of_body,
    )
    annotate_video(settings, file, out, model, options)


@cli.command()
def check() -> None:
    """Verify every model package: checksums, contract, golden outputs."""
    from service.cli.check import check_packages

    raise typer.Exit(check_packages(Settings()))


def main() -> None:
    try:
        cli()
    except ValidationError as error:
        for entry in error.errors():
            name = f"ENDOMASK_{str(entry['loc'][0]).upper()}"
            typer.echo(f"endomask: {name} is {entry['input']!r}: {entry['msg']}", err=True)
        sys.exit(1)
    except EndomaskError as error:
        typer.echo(f"endomask: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
