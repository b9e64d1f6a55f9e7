"""Presets from files, and what does not hold told as a sentence."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from training.config.preset import Preset
from training.errors import PresetError

PRESETS_DIR = Path(__file__).parent.parent / "presets"


def load_preset(name_or_path: str) -> Preset:
    """A shipped preset by its name, or any YAML file by its path. Raises PresetError."""
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = PRESETS_DIR / f"{name_or_path}.yaml"
    if not path.is_file():
        shipped = sorted(p.stem for p in PRESETS_DIR.glob("*.yaml"))
        raise PresetError(f"no preset {name_or_path!r}; shipped: {', '.join(shipped)}; or give the path of a YAML file")
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise PresetError(f"{path} is no YAML: {error}") from error
    return check_preset(content, path.name)


def check_preset(content: Any, origin: str) -> Preset:
    """Raises PresetError with every field that does not hold; `origin` is what the message names."""
    try:
        return Preset.model_validate(content)
    except ValidationError as error:
        lines = [_sentence(entry["loc"], entry["type"], entry["msg"]) for entry in error.errors()]
        raise PresetError(f"{origin} does not hold: {'; '.join(lines)}") from error


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    where = ".".join(map(str, place)) or "preset"
    if kind != "extra_forbidden":
        return f"{where}: {message}"
    fields = _fields_at(place[:-1])
    near = get_close_matches(str(place[-1]), fields, n=3)
    return f"{where}: unknown; " + (f"near: {', '.join(near)}" if near else f"there are {', '.join(fields)}")


def _fields_at(place: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the part of a preset that `place` leads to."""
    model: type[BaseModel] = Preset
    for step in place:
        field = model.model_fields.get(str(step))
        model = _model_in(field.annotation) or model if field else model
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in `Model`, `Model | None` or `list[Model]`."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
