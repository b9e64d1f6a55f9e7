"""What the commands share: where things lie by default, and options with one meaning."""

from pathlib import Path
from typing import Annotated

import typer

DATASETS = Path("datasets")
RUNS = Path("runs")
Data = Annotated[Path, typer.Option("--data", help="Folder of prepared data sets.")]
