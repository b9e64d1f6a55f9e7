"""`segment`: images to masks without a server, by the same code."""

from pathlib import Path

import typer

from service.answers import describe_frame, encode_mask, encode_overlay
from service.errors import EndomaskError, UnknownModel
from service.loading import LoadedModel, load_model, names_on_disk, packages_on_disk
from service.manifest.package import Package
from service.pipeline import FrameOptions, FrameResult, StageTimes, close_frame, open_frame
from service.settings import Settings


def segment_files(settings: Settings, files: list[Path], out: Path, model: str | None, threshold: float | None) -> int:
    """Write `<stem>.mask.png`, `<stem>.overlay.jpg` and `<stem>.json` for each image; 1 when one could not be read."""
    loaded = load_newest(settings, model)
    options = FrameOptions(settings.max_frame_megapixels, threshold, keep_pixels=True)
    out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for file in files:
        try:
            result = _segment(loaded, file.read_bytes(), options)
        except EndomaskError as error:
            failed += 1
            typer.echo(f"FAILED {file}: {error}", err=True)
            continue
        _write(result, out / file.stem, settings.overlay_opacity)
        typer.echo(f"{file}: {result.stats.coverage:.2%} covered, {out / file.stem}.mask.png")
    return 1 if failed else 0


def load_newest(settings: Settings, name: str | None) -> LoadedModel:
    """The newest version of a model, the default one when no name is given; raises UnknownModel, StartError."""
    return load_model(newest_package(settings, name), settings)


def newest_package(settings: Settings, name: str | None) -> Package:
    """The same on the disk; raises UnknownModel, StartError."""
    name = name or settings.default_model
    names = names_on_disk(settings.models_dir)
    if name not in names:
        raise UnknownModel(
            f"there is no model {name!r} in {settings.models_dir}; there is {', '.join(names) or 'none'}"
        )
    versions = packages_on_disk(settings.models_dir, name)
    return Package.read(versions[max(versions)])


def _segment(loaded: LoadedModel, body: bytes, options: FrameOptions) -> FrameResult:
    times = StageTimes()
    opened = open_frame(body, None, loaded.manifest.input.spec(), options, times)
    with times.measure("infer"):
        probabilities = loaded.backend.run(opened.prepared[None])[0]
    return close_frame(opened, probabilities, loaded.manifest, options, times)


def _write(result: FrameResult, stem: Path, opacity: float) -> None:
    stem.with_name(f"{stem.name}.mask.png").write_bytes(encode_mask(result))
    stem.with_name(f"{stem.name}.overlay.jpg").write_bytes(encode_overlay(result, opacity))
    stem.with_name(f"{stem.name}.json").write_text(describe_frame(result, "rle").model_dump_json(indent=2))
