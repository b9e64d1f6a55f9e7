"""When a backend's masks are held to be the golden ones."""

from typing import Any

import numpy as np
import pytest

from service.backends.candidates import Candidate
from service.backends.golden import check_golden, worst_dice
from service.errors import PackageError
from service.imaging.geometry import U8
from service.manifest.entries import Parity
from service.manifest.package import Package
from tests.support.candidates import Scripted, ScriptedBench


def backend(precision: str, change: Any = None) -> Scripted:
    script = ScriptedBench()
    if change is not None:
        script.answers[f"openvino {precision}"] = change
    candidate = Candidate.model_validate(
        {"backend": "openvino", "provider": "cpu", "precision": precision, "threads": 1}
    )
    return Scripted(candidate, script)


def without(pixels: int) -> Any:
    """Drop `pixels` of the 600 red ones, of the 2 x 64 x 96 of both golden frames."""

    def drop(planes: U8) -> U8:
        changed = planes.copy()
        changed.reshape(-1)[np.flatnonzero(changed)[:pixels]] = 0
        return changed

    return drop


def measured(package: Package, **facts: Any) -> Package:
    entry = Parity(
        **{
            "precision": "int8",
            "backend": "openvino-cpu",
            "batch_sizes": [1],
            "frames": 2,
            "largest_difference": 255,
            "changed_share": 0.01,
            "dice_difference": -0.001,
            **facts,
        }
    )
    return Package(package.folder, package.manifest.model_copy(update={"parity": [entry]}))


@pytest.mark.parametrize(("precision", "lost", "holds"), [("fp32", 10, True), ("fp32", 30, False), ("int8", 10, True)])
def test_few_pixels_may_change(both: Package, precision: str, lost: int, holds: bool) -> None:
    check = check_golden(both, backend(precision, without(lost)))
    assert (check.refused is None) == holds
    assert check.agreement.changed_share == pytest.approx(lost / 12288)


def test_bfloat16_may_change_a_little_more_than_fp32(both: Package) -> None:
    assert check_golden(both, backend("bf16", without(20))).refused is None
    assert check_golden(both, backend("fp32", without(20))).refused is None
    assert "the limit is 0.50%" in str(check_golden(both, backend("bf16", without(80))).refused)


def test_masks_that_lose_much_of_a_class_are_refused_however_few_the_pixels(both: Package) -> None:
    """60 of 12288 pixels are below bfloat16's limit of 0.5 %, and a tenth of the tool."""
    refused = check_golden(both, backend("bf16", without(60))).refused
    assert refused == "the golden masks have a Dice of 0.947 with it; the limit is 0.98"


def test_what_the_export_measured_to_hold_is_allowed_twice_its_change(both: Package) -> None:
    package = measured(both)
    assert check_golden(package, backend("int8", without(200))).refused is None
    assert "the limit is 2.00%" in str(check_golden(package, backend("int8", without(300))).refused)
    assert check_golden(both, backend("int8", without(200))).refused is not None


def test_what_the_export_measured_to_lose_dice_is_refused_even_with_the_golden_masks(both: Package) -> None:
    refused = check_golden(measured(both, dice_difference=-0.1), backend("int8")).refused
    assert refused == "it lost too much Dice on held-out frames when the package was exported (-0.100)"


def test_outputs_of_another_shape_are_refused(both: Package) -> None:
    with pytest.raises(PackageError, match="golden outputs have shape"):
        check_golden(both, backend("fp32", lambda planes: planes[:, :, :32]))


def test_the_worst_class_decides_and_classes_of_few_pixels_do_not() -> None:
    expected = np.zeros((1, 4, 100, 100), np.uint8)
    expected[0, 0] = 200
    expected[0, 1, :50] = expected[0, 2, 50:90] = expected[0, 3, 99, :10] = 255
    actual = expected.copy()
    actual[0, 2, 80:90] = actual[0, 3] = 0
    assert worst_dice(expected, actual, 0.5) == pytest.approx(2 * 3000 / (4000 + 3000))
    assert worst_dice(expected[:, :1], actual[:, :1] * 0, 0.99) is None
