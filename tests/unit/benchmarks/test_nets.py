"""What nets cost before they are trained."""

from pathlib import Path

import pytest

from benchmarks.nets import WAYS, cost, table, vary
from training.config import load_preset, with_overrides
from training.errors import PresetError


def test_every_combination_is_named_by_its_settings() -> None:
    found = vary(load_preset("instruments"), ["net.output_stride=1,4", "input.height=64,96"])
    assert list(found) == [
        "net.output_stride=1 input.height=64",
        "net.output_stride=1 input.height=96",
        "net.output_stride=4 input.height=64",
        "net.output_stride=4 input.height=96",
    ]
    assert found["net.output_stride=4 input.height=96"].input.height == 96


def test_without_a_setting_the_preset_itself_is_measured() -> None:
    assert list(vary(load_preset("instruments"), [])) == ["instruments"]


def test_a_setting_that_no_preset_has_is_refused() -> None:
    with pytest.raises(PresetError, match="nett"):
        vary(load_preset("instruments"), ["nett.output_stride=1"])


def test_a_net_that_stops_at_a_quarter_has_less_to_compute_and_all_files_run(tmp_path: Path) -> None:
    small = with_overrides(load_preset("instruments"), ["input.height=64", "input.width=64"])
    whole, short = cost(vary(small, ["net.output_stride=1,4"]), tmp_path, rounds=2, threads=1)
    assert short.giga_macs < 0.7 * whole.giga_macs
    assert len(whole.timings) == len(WAYS)
    assert all(0 < timing.low <= timing.median <= timing.high for timing in [*whole.timings, *short.timings])
    assert table([whole, short]).count("\n| net.output_stride=") == 2
