"""Presets: what is shipped loads, what does not hold is refused with the field named."""

from pathlib import Path

import pytest
import yaml

from training.config import PRESETS_DIR, DataUse, LossSpec, Preset, load_preset, with_overrides
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
        ({"input": {"height": 8, "width": 64}}, r"input\.height: .*greater than or equal to 16"),
        ({"merge": {"shaft": "tool"}}, "merge leads to"),
        ({"classes": [{"name": "tool", "colour": "#ffffff"}] * 2}, "classes must start with background"),
        ({"selection": "best", "validation": []}, "needs validation data"),
        ({"epoch": 3}, "epoch: unknown; near: epochs"),
        ({"net": {"encodre": "a"}}, r"net\.encodre: unknown; near: encoder"),
        ({"net": {"options": {"activation": "sigmoid"}}}, r"net: .*options\.activation is not for a preset"),
        ({"train": [{"data": "a", "splt": "b"}]}, r"train\.0\.splt: unknown; near: split"),
        ({"loss": {"zzz": 1}}, r"loss\.zzz: unknown; there are bce, "),
        ({"loss": {"dice": 0}}, "no loss has a weight above 0; there are cross_entropy, bce"),
        ({"class_weights": {"tool": 2}}, r"class_weights name \['tool'\]"),
        ({"class_weights": {"instrument": 0}}, "greater than 0"),
        ({"validation": [], "schedule": {"name": "plateau"}}, "schedule 'plateau' on val_loss needs validation"),
        ({"validation": [], "early_stopping": {}}, "early_stopping on val_dice needs validation"),
        ({"augment": {"scale": [1.2, 0.8]}}, "scale must ascend"),
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


def test_losses_named_are_all_there_are() -> None:
    assert LossSpec.model_validate({}).weights() == {"cross_entropy": 1.0, "dice": 1.0}
    assert LossSpec.model_validate({"focal_gamma": 3}).weights() == {"cross_entropy": 1.0, "dice": 1.0}
    assert LossSpec.model_validate({"focal": 2}).weights() == {"focal": 2.0}


def test_a_preset_of_an_older_checkpoint_still_loads(preset: Preset) -> None:
    """Its fields were these; a checkpoint holds all of them."""
    content = preset.model_dump(mode="json", exclude={"optimiser", "schedule", "sampling", "early_stopping"})
    for name in ("accumulate", "class_weights"):
        del content[name]
    del content["input"]["filters"]
    del content["augment"]["horizontal_flip"]
    content["loss"] = {"cross_entropy": 1.0, "dice": 1.0}
    assert Preset.model_validate(content) == preset


def test_values_are_set_by_dotted_keys(preset: Preset) -> None:
    changed = with_overrides(
        preset,
        [
            "epochs=7",
            "learning_rate=1e-4",
            "net.options.decoder_channels=[8, 8, 8, 8, 8]",
            "train.0.every=2",
            "loss.focal=0.5",
            "early_stopping.patience=3",
            "optimiser={name: sgd, momentum: 0.9}",
            "augment=none",
            "merge.clip=instrument",
        ],
    )
    assert (changed.epochs, changed.learning_rate, changed.train[0].every) == (7, 1e-4, 2)
    assert changed.net.options == {"decoder_channels": [8, 8, 8, 8, 8]}
    assert changed.loss.weights() == {"cross_entropy": 1.0, "dice": 1.0, "focal": 0.5}
    assert changed.early_stopping is not None
    assert (changed.early_stopping.patience, changed.early_stopping.monitor) == (3, "val_dice")
    assert changed.optimiser.given() == {"momentum": 0.9}
    assert changed.augment.horizontal_flip == 0
    assert changed.merge == {**preset.merge, "clip": "instrument"}


def test_a_mapping_set_as_a_whole_replaces_the_old_one(preset: Preset) -> None:
    assert with_overrides(preset, ["loss={dice: 2}"]).loss.weights() == {"dice": 2.0}


def test_the_last_of_two_settings_holds(preset: Preset) -> None:
    assert with_overrides(preset, ["epochs=7", "epochs=9"]).epochs == 9
    assert with_overrides(preset, []) == preset


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("epoch=3", "epoch: unknown; near: epochs"),
        ("net.encodr=a", r"net\.encodr: unknown; near: encoder"),
        ("los.dice=1", "los: unknown; near: loss"),
        ("epochs=many", "epochs: .*valid integer"),
        ("epochs", "--set 'epochs' is not of the form key=value"),
        ("epochs=[1", r"--set epochs: '\[1' is no YAML"),
        ("train.4.every=2", "--set train.4.every: '4' is no place in a list of 1; the first is 0"),
        ("epochs.more=2", "--set epochs.more: epochs is 2, which holds no 'more'"),
        ("optimiser.momentum=0.9", "adamw has no momentum; it has betas, eps"),
    ],
)
def test_a_setting_that_does_not_hold_is_refused(preset: Preset, setting: str, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        with_overrides(preset, [setting])
