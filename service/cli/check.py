"""`check`: does every package on disk hold what its manifest says, here, on this machine."""

from importlib.metadata import version

import onnxruntime
import typer

from service.backends.openvino import is_installed
from service.backends.trial import Measured
from service.errors import StartError
from service.loading import load_model, names_on_disk, packages_on_disk
from service.manifest.package import Package
from service.settings import Settings


def check_packages(settings: Settings) -> int:
    """Print a line for each version of each model and, below it, what it could run on: `*` marks the chosen one, `+`
    the lanes that take over when several frames are there.

    1 when one does not hold or there is none.
    """
    providers = ", ".join(onnxruntime.get_available_providers())
    openvino = version("openvino") if is_installed() else "not installed"
    typer.echo(f"onnxruntime {onnxruntime.__version__}, providers {providers}; openvino {openvino}")
    failed = 0
    names = names_on_disk(settings.models_dir)
    for name in names:
        for number, folder in packages_on_disk(settings.models_dir, name).items():
            try:
                loaded = load_model(Package.read(folder), settings)
            except StartError as error:
                failed += 1
                typer.echo(f"FAILED {name}/{number}: {error}")
                continue
            backend, golden = loaded.backend, loaded.golden
            typer.echo(
                f"ok     {name}/{number} on {backend.name} {backend.provider} {backend.precision}: golden outputs "
                f"differ by at most {golden.largest_difference}/255, {golden.changed_share:.3%} of pixels change class"
            )
            for candidate in loaded.choice.candidates:
                typer.echo(f"     {_mark(candidate)} {candidate.describe()}")
    if not names:
        typer.echo(f"there is no model package in {settings.models_dir} (ENDOMASK_MODELS_DIR)")
    return 1 if failed or not names else 0


def _mark(candidate: Measured) -> str:
    if candidate.chosen:
        return "*"
    return "+" if candidate.chosen_under_load else "-"
