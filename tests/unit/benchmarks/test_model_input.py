"""Both ways to the model's input are measured as the model wants its frames."""

import numpy as np
import pytest

from benchmarks.model_input import area_averaged, foreground
from service.imaging.geometry import InputSpec, Resize, content_box, prepare

FRAME_SIZE = 96, 160


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_the_area_averaged_input_is_the_services_but_for_rounding(resize: Resize) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (*FRAME_SIZE, 3), dtype=np.uint8)
    spec = InputSpec(48, 40, resize, ("smooth",))
    difference = np.abs(area_averaged(rgb, spec).astype(int) - prepare(rgb, spec))
    assert difference.mean() < 8, "of noise, whose grey levels differ by 85 on the mean"
    assert (area_averaged(rgb, spec) == 0).all(axis=(1, 2)).sum() == (24 if resize == "letterbox" else 0)


def test_all_classes_of_a_letterboxed_frame_are_foreground_where_they_lie_in_the_frame() -> None:
    spec = InputSpec(48, 40, "letterbox")
    box = content_box(spec, *FRAME_SIZE)
    probabilities = np.zeros((3, 48, 40), np.uint8)
    probabilities[0] = 255
    for class_id, left in ((1, 0), (2, 20)):
        here = (slice(box.top, box.top + box.height // 2), slice(left, left + 10))
        probabilities[(0, *here)], probabilities[(class_id, *here)] = 0, 255
    drawn = foreground(probabilities, spec, 0.5, FRAME_SIZE, (48, 80))
    assert drawn[:20, :18].all()
    assert drawn[:20, 42:58].all()
    assert not drawn[:, 22:38].any()
    assert not drawn[28:].any()
    assert drawn.max() == 1
