"""`quantise`: a package gets an INT8 or FP16 file, if that holds and is faster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.backends import Precision
from training.commands.options import DATASETS, Data

if TYPE_CHECKING:
    from training.config import Preset
    from training.quantise.package import Progress
    from training.quantise.verdict import Rules

LOWER: tuple[Precision, ...] = ("int8", "fp16", "bf16")


def quantise(
    package: Annotated[Path, typer.Argument(help="models/<name>/<version>")],
    data: Data = DATASETS,
    precision: Annotated[str, typer.Option(help="By commas: int8 and fp16 make files, bf16 measures FP32's.")] = "int8",
    preset: Annotated[
        str | None, typer.Option(help="Preset whose data calibrate and score; default: the one in the manifest.")
    ] = None,
    again: Annotated[bool, typer.Option(help="Also make those that the package has already.")] = False,
    allow_unmeasured: Annotated[bool, typer.Option(help="Ship FP16 that holds though no GPU is here.")] = False,
    mask_distance: Annotated[
        float, typer.Option(help="1 - Dice of INT8's masks to FP32's on training frames; less keeps more in float.")
    ] = 0.02,
) -> None:
    """Add smaller and faster files to a package in place, each with its parity in the manifest.

    A precision is written only if, on one backend, its Dice is within 0.005 of FP32's on every held-out set and it is
    faster there (INT8: twice as fast). Else nothing changes, the reasons are told, and the exit code is 1.

    Example: python -m training quantise models/polyps/3 --precision int8
    """
    from service.manifest.package import Package  # noqa: PLC0415
    from training.config import load_preset  # noqa: PLC0415
    from training.quantise.verdict import Rules  # noqa: PLC0415

    manifest = Package.read(package).manifest
    wanted = parse_precisions(precision)
    there = {*manifest.files, *(parity.precision for parity in manifest.parity)}
    for name in wanted:
        if name in there and not again:
            typer.echo(f"{name}: there already; --again makes it anew")
    rules = Rules(mask_distance=mask_distance, allow_unmeasured=allow_unmeasured)
    todo = [name for name in wanted if again or name not in there]
    add_all(package, todo, load_preset(preset or manifest.training.preset), data, rules)


def parse_precisions(text: str) -> list[Precision]:
    """`fp32,int8` -> what is to be made beside FP32. Raises BadParameter."""
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in {"fp32", *LOWER}]:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are fp32, int8, fp16 and bf16", param_hint="--precision")
    return [name for name in LOWER if name in names]


def add_all(package: Path, wanted: list[Precision], preset: "Preset", data: Path, rules: "Rules") -> None:
    """Exits with 1 when one was not shipped, after all were tried."""
    if not wanted:
        return
    from training.quantise.package import add_bf16, add_precision  # noqa: PLC0415

    refused = []
    for name in wanted:
        if name == "bf16":
            with _bars() as progress:
                typer.echo(f"bf16: {add_bf16(package, preset, data, progress)}")
            continue
        with _bars() as progress:
            verdict = add_precision(package, name, preset, data, progress, rules)
        for line in verdict.reasons:
            typer.echo(f"{name}: {line}")
        if verdict.shipped:
            typer.echo(f"written: {package}/model.{name}.onnx")
        else:
            refused.append(name)
            typer.secho(f"NOT SHIPPED: {name} of {package}; see above", err=True, fg="red", bold=True)
    if refused:
        raise typer.Exit(1)


@contextmanager
def _bars() -> Iterator["Progress"]:
    """A bar a step; a step of unknown length pulses."""
    from rich.progress import Progress as Bars  # noqa: PLC0415

    with Bars() as bars:

        def start(title: str, frames: int) -> Callable[[], None]:
            task = bars.add_task(title, total=frames or None)
            return lambda: bars.advance(task)

        yield start
