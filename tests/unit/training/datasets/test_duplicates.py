"""Duplicates: the same pixels, and pictures that were only scaled, compressed or brightened."""

import cv2
import numpy as np
import pytest
from scipy.fft import dctn

from training.datasets.duplicates import NEAR_BITS, Fingerprint, Pair, find_pairs, fingerprint, perceptual_hash


def _scene(seed: int, side: int = 128) -> np.ndarray:
    """Smooth random colours, as unlike between seeds as two scenes."""
    noise = np.random.default_rng(seed).integers(0, 255, (10, 10, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _bits(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.bitwise_count(perceptual_hash(first) ^ perceptual_hash(second)).sum())


def test_the_hash_is_the_low_frequencies_of_scipy_against_their_median() -> None:
    picture = _scene(1, side=64)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    low = dctn(grey, norm="ortho")[:16, :16]
    expected = np.packbits((low > np.median(low)).ravel()).view(np.uint64)
    assert int(np.bitwise_count(perceptual_hash(picture) ^ expected).sum()) <= 2  # float32 against float64


@pytest.mark.parametrize("change", ["jpeg", "half", "brighter"])
def test_a_picture_stays_near_when_it_is_changed_without_being_cropped(change: str) -> None:
    for seed in range(5):
        picture = _scene(seed)
        changed = {
            "jpeg": lambda p: cv2.imdecode(
                cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR
            ),
            "half": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
            "brighter": lambda p: np.clip(p * 1.1 + 5, 0, 255).astype(np.uint8),
        }[change](picture)
        assert _bits(picture, np.asarray(changed, np.uint8)) <= NEAR_BITS


def test_different_pictures_are_far_apart() -> None:
    pairs = [_bits(_scene(a), _scene(b)) for a in range(12) for b in range(a)]
    assert min(pairs) > 2 * NEAR_BITS


def test_pairs_are_found_and_told_apart_as_exact_and_near() -> None:
    pictures = [_scene(0), _scene(1), _scene(0), cv2.resize(_scene(1), (100, 100), interpolation=cv2.INTER_AREA)]
    pairs = find_pairs([fingerprint(np.asarray(p, np.uint8)) for p in pictures])
    assert [(p.first, p.second, p.exact) for p in pairs] == [(0, 2, True), (1, 3, False)]
    assert pairs[0] == Pair(0, 2, bits=0, exact=True)


def test_the_same_values_in_another_shape_are_not_exact() -> None:
    flat = np.zeros((8, 12, 3), np.uint8)
    (pair,) = find_pairs([fingerprint(flat), fingerprint(flat.reshape(12, 8, 3))])
    assert not pair.exact


def test_pairs_across_the_blocks_of_the_search_are_found() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**63, (1100, 4), dtype=np.uint64)
    prints = [Fingerprint(str(i), near) for i, near in enumerate(hashes)]
    prints[1090] = prints[3]
    assert find_pairs(prints) == [Pair(3, 1090, bits=0, exact=True)]


def test_no_frames_have_no_pairs() -> None:
    assert find_pairs([]) == []
