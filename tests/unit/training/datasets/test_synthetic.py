import hashlib
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from training.datasets.synthetic import SyntheticFrame, render_clip, render_frame
from training.datasets.synthetic.clips import EXAMPLE_CLIP_SEED, EXAMPLE_FRAME_SEED, write_clip

EXAMPLES = Path(__file__).parents[4] / "examples"
SMALL = {"height": 144, "width": 192}

HASH_TWO_SEEDS = """
import hashlib, sys
from training.datasets.synthetic import render_clip, render_frame
frames = [render_frame(seed, 144, 192) for seed in (3, 4)] + list(render_clip(5, 2, 144, 192))
parts = (part for f in frames for part in (f.image, f.mask, f.instances))
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
print("torch" in sys.modules)
"""


def digest(frames: list[SyntheticFrame]) -> str:
    parts = (part for f in frames for part in (f.image, f.mask, f.instances))
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.count_nonzero(one & other) / max(np.count_nonzero(one | other), 1))


def test_the_same_seed_gives_the_same_bytes_in_another_process_and_needs_no_torch() -> None:
    other = subprocess.run([sys.executable, "-c", HASH_TWO_SEEDS], capture_output=True, text=True, check=True)
    frames = [render_frame(seed, **SMALL) for seed in (3, 4)] + list(render_clip(5, 2, **SMALL))
    assert other.stdout.split() == [digest(frames), "False"]


def test_another_seed_gives_another_picture() -> None:
    assert digest([render_frame(1, **SMALL)]) != digest([render_frame(2, **SMALL)])


@pytest.mark.parametrize(("height", "width"), [(480, 640), (143, 191), (64, 64), (576, 720)])
def test_a_frame_has_the_size_asked_for_and_classes_and_instances_that_agree(height: int, width: int) -> None:
    frame = render_frame(11, height, width, instruments=2)
    assert (frame.image.shape, frame.image.dtype) == ((height, width, 3), np.uint8)
    assert (frame.mask.shape, frame.mask.dtype) == ((height, width), np.uint8)
    assert (frame.instances.shape, frame.instances.dtype) == ((height, width), np.uint8)
    assert {0, 1} <= set(np.unique(frame.mask)) <= {0, 1, 2}
    assert set(np.unique(frame.instances)) <= {0, 1, 2}
    np.testing.assert_array_equal(frame.mask > 0, frame.instances > 0)


def test_about_one_frame_in_ten_has_no_instrument_and_none_has_more_than_three() -> None:
    counts = [int(render_frame(seed, 48, 64).instances.max()) for seed in range(150)]
    assert 0.03 < counts.count(0) / len(counts) < 0.2
    assert set(counts) == {0, 1, 2, 3}


def test_frames_asked_for_without_instruments_have_an_empty_mask() -> None:
    for seed in range(8):
        frame = render_frame(seed, **SMALL, instruments=0)
        assert not frame.mask.any()
        assert not frame.instances.any()
        assert frame.image.any()


@pytest.mark.parametrize("instruments", [-1, 4])
def test_a_number_of_instruments_that_cannot_be_drawn_is_refused(instruments: int) -> None:
    with pytest.raises(ValueError, match=f"{instruments} instruments were asked for; a frame has 0 to 3"):
        render_frame(1, instruments=instruments)
    with pytest.raises(ValueError, match="0 to 3"):
        render_clip(1, 2, instruments=instruments)


def test_instruments_cover_a_share_of_the_frame_like_that_of_real_ones() -> None:
    coverage = np.array([np.mean(render_frame(s, **SMALL, instruments=1 + s % 3).mask > 0) for s in range(60)])
    assert 0.05 < np.median(coverage) < 0.3
    assert coverage.max() < 0.75
    assert np.mean(coverage > 0.005) > 0.9


@pytest.mark.parametrize("seed", range(10))
def test_the_picture_with_instruments_differs_only_in_the_mask_and_by_shadow(seed: int) -> None:
    """The oracle is the same scene without instruments: outside the mask nothing may become brighter."""
    bare, frame = render_frame(seed, instruments=0), render_frame(seed, instruments=2)
    mask = (frame.mask > 0).astype(np.uint8)
    change = frame.image.astype(int) - bare.image
    near = cv2.dilate(mask, np.ones((25, 25), np.uint8)) > 0  # lens blur carries an edge as far as this
    assert change[~near].max(initial=0) <= 2
    inside = cv2.erode(mask, np.ones((9, 9), np.uint8)) > 0
    assert inside.any()
    assert np.mean(np.abs(change[inside]).max(axis=1) > 8) > 0.85


def test_tip_and_shaft_of_one_instrument_touch() -> None:
    for seed in range(6):
        frame = render_frame(seed, instruments=1)
        tip = cv2.dilate((frame.mask == 2).astype(np.uint8), np.ones((5, 5), np.uint8))
        shaft = frame.mask == 1
        if tip.any() and shaft.any():
            assert np.count_nonzero(tip.astype(bool) & shaft) > 3


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_a_clip_moves_smoothly_and_its_instruments_come_and_go(seed: int) -> None:
    masks = [frame.mask > 0 for frame in render_clip(seed, 60, 144, 192, fps=10.0, instruments=2)]
    assert not masks[0].any()
    assert not masks[-1].any() or masks[-1].mean() < masks[30].mean()
    assert masks[30].mean() > 0.01
    working = [iou(one, other) for one, other in pairwise(masks[28:40])]
    assert min(working) > 0.5
    assert np.median(working) > 0.7
    assert max(working) < 1.0


def test_the_tissue_of_a_clip_drifts_slowly() -> None:
    frames = [frame.image.astype(float) for frame in render_clip(4, 51, 144, 192, fps=25.0, instruments=0)]
    step = np.mean(np.abs(frames[1] - frames[0]))
    far = np.mean(np.abs(frames[50] - frames[0]))
    assert step < 8
    assert far > 1.2 * step


def test_a_written_clip_decodes_with_its_frames_rate_size_and_truth(tmp_path: Path) -> None:
    count = write_clip(
        tmp_path / "clip.mp4", tmp_path / "masks.npz", seed=6, seconds=1.2, height=96, width=128, fps=20.0
    )
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.average_rate, stream.width, stream.height) == (20, 128, 96)
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    truth = np.load(tmp_path / "masks.npz")
    assert count == len(pictures) == 24
    assert truth["masks"].shape == truth["instances"].shape == (24, 96, 128)
    drawn = list(render_clip(6, 24, 96, 128, 20.0))
    np.testing.assert_array_equal(truth["masks"][12], drawn[12].mask)
    assert np.mean(np.abs(pictures[12].astype(int) - drawn[12].image)) < 12


def test_masks_of_a_clip_can_be_a_folder_of_index_pngs(tmp_path: Path) -> None:
    count = write_clip(tmp_path / "clip.mp4", tmp_path / "masks", seed=7, seconds=0.2, height=96, width=128)
    files = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert files == [f"{index:06d}.png" for index in range(count)]
    assert cv2.imread(str(tmp_path / "masks" / files[0]), cv2.IMREAD_UNCHANGED).shape == (96, 128)


def test_a_clip_with_an_odd_side_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="clip of 321x240 was asked for"):
        write_clip(tmp_path / "clip.mp4", tmp_path / "masks", seed=1, seconds=0.1, height=240, width=321)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_clip_of_a_seed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.datasets.synthetic", str(tmp_path), "--seed", "3", "--seconds", "0.2"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "5 masks" in answer.stdout
    assert (tmp_path / "clip.mp4").stat().st_size > 1000


def test_the_shipped_example_frame_is_the_one_the_command_makes() -> None:
    shipped = cv2.cvtColor(cv2.imread(str(EXAMPLES / "frame.jpg")), cv2.COLOR_BGR2RGB)
    drawn = render_frame(EXAMPLE_FRAME_SEED, 480, 854, instruments=2)
    assert shipped.shape == (480, 854, 3)
    assert np.mean(np.abs(shipped.astype(int) - drawn.image)) < 4
    assert set(np.unique(drawn.instances)) == {0, 1, 2}


def test_the_shipped_example_clip_is_the_one_the_command_makes() -> None:
    with av.open(str(EXAMPLES / "clip.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 150
    drawn = next(render_clip(EXAMPLE_CLIP_SEED, 150, 480, 640, 25.0, instruments=2))
    assert np.mean(np.abs(pictures[0].astype(int) - drawn.image)) < 8
