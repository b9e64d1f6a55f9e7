"""Each published system goes the whole way with the commands that its row of the documentation names.

Files of a few pixels in the original layout; a small encoder, a small input and one epoch in place of the published
ones. Minutes of a GPU become seconds here, yet no step is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.manifest.package import Package
from tests.support.published.cholecseg8k import VIDEOS, write_frame
from tests.support.published.kvasir import write_instrument
from tests.support.published.pictures import channels, flat, halves, write_picture
from tests.support.published.sar_rarp50 import pack, write_recording
from tests.support.published.ucl_synthetic import write_video_folder
from training.__main__ import app

pytestmark = [
    pytest.mark.timeout(400),  # 15 seconds of CPU time each, a third of it PyTorch's exporter
    pytest.mark.filterwarnings(
        "ignore:.*does not have many workers.*",
        "ignore:.*`weights_only` was not set.*",
        "ignore:.*isinstance.treespec.*",
    ),
]


@dataclass(frozen=True)
class System:
    """A preset, the reader of its data, and what writes a tiny release of it."""

    preset: str
    reader: str
    write: Callable[[Path], object]
    options: tuple[str, ...] = ()


def _sar(root: Path) -> None:
    for folder in ("train1/video_1", "train1/video_11_1", "train2/video_12", "test/video_41"):
        pack(write_recording(root / folder))


def _ucl(root: Path) -> None:
    for number in range(1, 15):
        write_video_folder(root / "Synthetic_MICCAI2020_dataset" / f"Video_{number:02d}", frames=1)


def _polyps(root: Path) -> None:
    names = [f"cju{number:02d}" for number in range(24)]
    for name in names:
        write_picture(root / "images" / f"{name}.jpg", flat(120))
        write_picture(root / "masks" / f"{name}.jpg", channels(halves(0, 255)))
    for split, listed in (("train", names[:20]), ("val", names[20:])):
        write_picture(root / "splits" / f"{split}.png", flat(0)).with_suffix(".txt").write_text("\n".join(listed))


def _cholec(root: Path) -> None:
    for video in VIDEOS:
        write_frame(root / "CholecSeg8k", video, 80)


SYSTEMS = [
    System("sar_rarp50", "sar-rarp50", _sar, ("validation_videos=1",)),
    System("ucl_synthetic", "ucl-synthetic", _ucl),
    System("kvasir_instrument", "kvasir-instrument", write_instrument, ("dilate_px=1",)),
    System("kvasir_seg", "kvasir-seg", _polyps),
    System("cholecseg8k", "cholecseg8k", _cholec),
]
SMALLER = {
    "net.encoder": "tu-test_resnet",
    "input.height": 32,
    "input.width": 64,
    "epochs": 1,
    "batch_size": 2,
}


def _run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, f"{arguments[0]}: {done.output[-2000:]} {done.exception!r}"
    return done.output


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.preset)
def test_a_published_system_goes_from_its_release_to_a_package(system: System, tmp_path: Path) -> None:
    data, run, package = tmp_path / "datasets", tmp_path / "run", tmp_path / "models" / system.preset / "1"
    system.write(tmp_path / "release")
    options = [part for option in system.options for part in ("--option", option)]
    _run("prepare", system.reader, "--source", tmp_path / "release", "--data", data, *options)

    settings = [part for key, value in SMALLER.items() for part in ("--set", f"{key}={value}")]
    here = ["--encoder-weights", "none", "--workers", 0, "--threads", 1, "--accelerator", "cpu"]
    _run("train", system.preset, "--data", data, "--run", run, *settings, *here, "--test")
    assert (run / "history.csv").is_file()
    assert (run / "test.json").is_file()

    _run("evaluate", run, "--data", data, "--out", tmp_path / "evaluation", "--resamples", 100, "--device", "cpu")
    assert (tmp_path / "evaluation" / "report.md").is_file()

    _run("export", run, package, "--data", data)
    written = Package.read(package)
    written.verify()
    assert {score.dataset for score in written.manifest.metrics} == {system.reader}
    assert {score.class_name for score in written.manifest.metrics} == {c.name for c in written.manifest.classes[1:]}
