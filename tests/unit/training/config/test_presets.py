"""The presets of the published systems say what their authors did, and fit the data that `prepare` writes."""

import pytest

from training.config import PRESETS_DIR, load_preset
from training.config.augment import nothing

PUBLISHED = {
    "sar_rarp50": ("unet", "efficientnet-b4", "sar-rarp50", {"cross_entropy", "dice"}),
    "ucl_synthetic": ("unet", "resnet34", "ucl-synthetic", {"bce"}),
    "kvasir_instrument": ("deeplabv3plus", "resnet50", "kvasir-instrument", {"dice", "jaccard"}),
    "kvasir_seg": ("unetplusplus", "efficientnet-b2", "kvasir-seg", {"focal"}),
    "cholecseg8k": ("deeplabv3", "resnet50", "cholecseg8k", {"cross_entropy", "dice"}),
    "cholecseg8k_unet": ("unet", "resnet50", "cholecseg8k", {"cross_entropy", "dice"}),
    "cholecseg8k_binary": ("unet", "resnet50", "cholecseg8k", {"cross_entropy", "dice"}),
}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_published_system_keeps_net_data_and_loss(name: str) -> None:
    preset = load_preset(name)
    architecture, encoder, data, losses = PUBLISHED[name]
    assert (preset.net.architecture, preset.net.encoder) == (architecture, encoder)
    assert {use.data for use in [*preset.train, *preset.validation, *preset.test]} == {data}
    assert set(preset.loss.weights()) == losses
    assert preset.average_decay == 0
    assert "ublish" in (PRESETS_DIR / f"{name}.yaml").read_text()


def test_details_that_the_authors_name() -> None:
    sar, polyps, gut = (load_preset(name) for name in ("sar_rarp50", "kvasir_seg", "kvasir_instrument"))
    assert (sar.epochs, sar.schedule.name, len(sar.classes)) == (30, "plateau", 10)
    still = nothing()
    used = {name for name, value in sar.augment.model_dump().items() if value != still[name]}
    assert used == {"horizontal_flip", "vertical_flip", "translate", "degrees", "noise", "brightness", "contrast"}
    assert (polyps.optimiser.name, polyps.learning_rate, polyps.epochs, polyps.selection) == ("adam", 1e-3, 50, "best")
    assert gut.input.spec().filters == ("equalise", "smooth")


def test_every_class_that_prepare_writes_has_a_place() -> None:
    from training.datasets.published import cholecseg8k, kvasir_instrument, kvasir_seg, sar_rarp50, ucl_synthetic

    readers = {
        "sar_rarp50": sar_rarp50.CLASSES,
        "ucl_synthetic": ucl_synthetic.CLASSES,
        "kvasir_instrument": kvasir_instrument.CLASSES,
        "kvasir_seg": kvasir_seg.CLASSES,
        "cholecseg8k": cholecseg8k.CLASSES,
        "cholecseg8k_unet": cholecseg8k.CLASSES,
        "cholecseg8k_binary": [*cholecseg8k.CLASSES, *cholecseg8k.BINARY_CLASSES],
    }
    for name, classes in readers.items():
        preset = load_preset(name)
        named = {entry.name for entry in preset.classes}
        assert {preset.merge.get(info.name, info.name) for info in classes} == named, name
