import numpy as np
import pytest

from service.imaging import overlay

PALETTE = [(0, 0, 0), (0, 255, 0), (0, 0, 255)]


def example() -> tuple[np.ndarray, np.ndarray]:
    rgb = np.full((80, 120, 3), (200, 100, 50), np.uint8)
    labels = np.zeros((80, 120), np.uint8)
    labels[10:40, 10:60], labels[50:70, 70:110] = 1, 2
    return rgb, labels


@pytest.mark.parametrize("opacity", [0.0, 0.45, 1.0])
def test_a_class_is_blended_with_its_colour(opacity: float) -> None:
    rgb, labels = example()
    drawn = overlay.draw(rgb, labels, PALETTE, opacity)
    for (y, x), colour in (((25, 30), PALETTE[1]), ((60, 90), PALETTE[2])):
        expected = rgb[y, x] * (1 - opacity) + np.array(colour) * opacity
        assert np.abs(drawn[y, x] - expected).max() <= 0.5


def test_the_outline_has_the_full_colour_and_stays_on_the_class() -> None:
    rgb, labels = example()
    drawn = overlay.draw(rgb, labels, PALETTE, 0.45)
    assert (drawn[10, 10:60] == PALETTE[1]).all()
    assert (drawn[50:70, 109] == PALETTE[2]).all()
    assert (drawn[labels == 0] == rgb[labels == 0]).all()


def test_the_frame_itself_is_left_alone() -> None:
    rgb, labels = example()
    before = rgb.copy()
    overlay.draw(rgb, labels, PALETTE, 0.45)
    assert (rgb == before).all()


def test_a_frame_without_classes_is_unchanged() -> None:
    rgb, _ = example()
    assert (overlay.draw(rgb, np.zeros((80, 120), np.uint8), PALETTE, 0.45) == rgb).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_thin_frames_can_be_drawn_on(size: tuple[int, int]) -> None:
    drawn = overlay.draw(np.zeros((*size, 3), np.uint8), np.ones(size, np.uint8), PALETTE, 0.45)
    assert (drawn == PALETTE[1]).all()


def test_a_hole_is_outlined_and_not_filled() -> None:
    rgb, labels = example()
    labels[20:30, 20:40] = 0
    drawn = overlay.draw(rgb, labels, PALETTE, 1.0)
    assert (drawn[22:28, 22:38] == rgb[22:28, 22:38]).all()
    assert (drawn[19, 20:40] == PALETTE[1]).all()
