import numpy as np
import pytest

from service.imaging.geometry import U8


@pytest.fixture
def noise() -> U8:
    """RGB uint8 [61, 83, 3] of smooth noise: every value and no symmetry."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((7, 7, 1), np.uint8))[:61, :83])
