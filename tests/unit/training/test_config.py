"""Presets: what is shipped loads, what does not hold is refused with the field named."""

from pathlib import Path

import pytest
import yaml

from training.config import PRESETS_DIR, DataUse, Preset, load_preset
from training.errors import PresetError


@pytest.mark.parametrize("name", [path.stem for path in PRESETS_DIR.glob("*.yaml")])
def test_every_shipped_preset_loads_and_scores_only_held_out_data(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    for scored in preset.test:
        assert not any(may_overlap(scored, seen) for seen in [*preset.train, *preset.validation]), scored


def may_overlap(one: DataUse, other: DataUse) -> bool:
    """Whether two parts of a data set may share a frame, as far as their names tell."""
    if one.data != other.data:
        return False
    if one.groups is not None and other.groups is not None and not set(one.groups) & set(other.groups):
        return False
    return one.split == other.split or "all" in {one.split, other.split}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input": {"height": 100, "width": 64}}, r"input\.height: .*multiple of 32"),
        ({"merge": {"shaft": "tool"}}, "merge leads to"),
        ({"classes": [{"name": "tool", "colour": "#ffffff"}] * 2}, "classes must start with background"),
        ({"selection": "best", "validation": []}, "needs validation data"),
        ({"epoch": 3}, "epoch: Extra inputs"),
    ],
)
def test_a_preset_that_does_not_hold_is_refused(
    preset: Preset, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump({**preset.model_dump(mode="json"), **change}))
    with pytest.raises(PresetError, match=said):
        load_preset(str(path))


def test_an_unknown_preset_names_those_that_are_there() -> None:
    with pytest.raises(PresetError, match=r"no preset 'nothing'; shipped: .*polyps"):
        load_preset("nothing")


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("a: [1")
    with pytest.raises(PresetError, match=r"broken\.yaml is no YAML"):
        load_preset(str(path))
