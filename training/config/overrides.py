"""`--set key=value`: a preset with some of its values replaced."""

from typing import Any

import yaml

from training.config.loading import check_preset
from training.config.preset import Preset
from training.errors import PresetError


def with_overrides(preset: Preset, settings: list[str]) -> Preset:
    """`settings`: `key=value`, the key dotted (`net.encoder`, `train.0.every`), the value YAML. Raises PresetError.

    A key reaches one value and leaves its neighbours: `loss.dice=2` keeps the other losses of the preset, while
    `loss={dice: 2}` replaces them all.
    """
    content = preset.model_dump(mode="json")
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise PresetError(f"--set {setting!r} is not of the form key=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise PresetError(f"--set {key}: {text!r} is no YAML: {error}") from error
        _put(content, key, _number(value))
    return check_preset(content, f"preset {preset.name} with --set")


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    """Sets the dotted key; a mapping that is not there (`early_stopping: null`) is made."""
    *path, last = key.split(".")
    place: Any = content
    for step in path:
        inner = _get(place, step, key)
        if inner is None:
            inner = place[step] = {}
        place = inner
    if isinstance(place, list):
        place[_index(place, last, key)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise PresetError(f"--set {key}: {'.'.join(path)} is {place!r}, which holds no {last!r}")


def _get(place: Any, step: str, key: str) -> Any:
    if isinstance(place, list):
        return place[_index(place, step, key)]
    if isinstance(place, dict):
        return place.get(step)
    raise PresetError(f"--set {key}: {place!r} holds no {step!r}")


def _index(place: list[Any], step: str, key: str) -> int:
    if not step.isdigit() or int(step) >= len(place):
        raise PresetError(f"--set {key}: {step!r} is no place in a list of {len(place)}; the first is 0")
    return int(step)


def _number(value: Any) -> Any:
    """YAML 1.1 takes `1e-3` for text; a person means a number."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
