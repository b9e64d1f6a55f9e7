"""Command line of the training side; one file a command under training/commands."""

from collections.abc import Callable

import typer

from service.errors import EndomaskError
from training.commands.analyse import analyse
from training.commands.compare import compare
from training.commands.crossval import crossval
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.predict import predict
from training.commands.prepare import prepare
from training.commands.pseudo_label import pseudo_label
from training.commands.quantise import quantise
from training.commands.shift import shift
from training.commands.sweep import sweep
from training.commands.train import train
from training.errors import TrainingError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (
    prepare,
    train,
    compare,
    crossval,
    sweep,
    evaluate,
    export,
    quantise,
    pseudo_label,
    predict,
    analyse,
    shift,
):
    app.command()(command)


def main(run: Callable[[], None] = app) -> None:
    """Errors that we foresee are one sentence and exit code 1; anything else keeps its trace."""
    try:
        run()
    except (TrainingError, EndomaskError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
