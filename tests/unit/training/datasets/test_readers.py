"""Readers on tiny files in the published layouts, and on the real data where it is at hand."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.published.pictures import halves, write_picture
from training.datasets import synthetic_frames
from training.datasets.published import endovis2015_rigid, endovis2015_robotic, gae_robotic_grey, kvasir_seg
from training.datasets.published.endovis2015 import snap
from training.datasets.readers import open_source
from training.datasets.writing import write_dataset
from training.errors import DatasetError

REAL = Path(__file__).parents[5] / "shared" / "data"


def _write_video(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    """Grey frames [H, W] as lossless-enough MPEG-4 in an AVI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = frames[0].shape[1], frames[0].shape[0]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        for grey in frames:
            picture = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


@pytest.fixture
def kvasir(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        write_picture(tmp_path / "images" / f"{name}.jpg", np.full((16, 32, 3), 120, np.uint8))
        write_picture(tmp_path / "masks" / f"{name}.jpg", halves(0, 255))
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("a\nb\n")
    (tmp_path / "splits" / "val.txt").write_text("c\n")
    return tmp_path


def test_kvasir_masks_lose_their_jpeg_ringing_and_keep_the_authors_split(kvasir: Path) -> None:
    source = kvasir_seg.read(kvasir)
    frames = {frame.id: frame for frame in source.frames}
    assert source.splits == {"train": ["a", "b"], "val": ["c"]}
    np.testing.assert_array_equal(frames["c"].load_mask(), halves(0, 1))


def test_kvasir_names_the_mask_that_is_missing(kvasir: Path, tmp_path: Path) -> None:
    (kvasir / "masks" / "b.jpg").unlink()
    with pytest.raises(DatasetError, match=r"masks/b\.jpg"):
        write_dataset(kvasir_seg.read(kvasir), tmp_path / "out")


def test_kvasir_names_the_picture_that_is_no_picture(kvasir: Path, tmp_path: Path) -> None:
    (kvasir / "images" / "c.jpg").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"images/c\.jpg is missing or no readable picture"):
        write_dataset(kvasir_seg.read(kvasir), tmp_path / "out")


def test_kvasir_refuses_a_frame_on_both_sides(kvasir: Path) -> None:
    (kvasir / "splits" / "val.txt").write_text("a\n")
    with pytest.raises(DatasetError, match="lists a in train and in val"):
        kvasir_seg.read(kvasir)


@pytest.fixture
def rigid(tmp_path: Path) -> Path:
    for number in range(1, 5):
        suffix = "png" if number % 2 else "jpg"
        write_picture(tmp_path / "images" / f"OP{number}" / f"img_01_raw.{suffix}", np.full((16, 32, 3), 99, np.uint8))
        write_picture(tmp_path / "masks" / f"OP{number}" / "img_01_class.png", halves(70, 160))
    return tmp_path


def test_rigid_reads_png_and_jpeg_and_names_shaft_and_tip(rigid: Path) -> None:
    source = endovis2015_rigid.read(rigid)
    frames = {frame.group: frame for frame in source.frames}
    assert source.splits == {"train": ["OP1", "OP2", "OP3"], "test": ["OP4"]}
    assert {name: Path(str(frame.image)).suffix for name, frame in frames.items()} == {
        "OP1": ".png", "OP2": ".jpg", "OP3": ".png", "OP4": ".jpg",
    }  # fmt: skip
    np.testing.assert_array_equal(frames["OP1"].load_mask(), halves(2, 1))
    assert [c.name for c in source.classes] == ["background", "shaft", "tip"]


def test_rigid_reads_one_channel_of_an_rgba_mask(rigid: Path) -> None:
    grey = halves(0, 160)
    write_picture(rigid / "masks" / "OP4" / "img_01_class.png", np.dstack([grey, grey, grey, np.full_like(grey, 255)]))
    frames = {frame.group: frame for frame in endovis2015_rigid.read(rigid).frames}
    np.testing.assert_array_equal(frames["OP4"].load_mask(), halves(0, 1))


def test_rigid_refuses_a_grey_that_means_nothing(rigid: Path) -> None:
    write_picture(rigid / "masks" / "OP2" / "img_01_class.png", halves(0, 71))
    with pytest.raises(DatasetError, match=r"OP2/img_01_class\.png holds the greys \[71\]"):
        [frame.load_mask() for frame in endovis2015_rigid.read(rigid).frames]


def test_rigid_names_the_operation_without_masks(rigid: Path) -> None:
    (rigid / "masks" / "OP3" / "img_01_class.png").unlink()
    with pytest.raises(DatasetError, match=r"masks/OP3 holds no img_\*_class\.png"):
        list(endovis2015_rigid.read(rigid).frames)


@pytest.mark.parametrize(
    ("grey", "class_id"), [(0, 0), (30, 0), (40, 2), (70, 2), (110, 2), (120, 1), (160, 1), (255, 1)]
)
def test_video_greys_snap_to_the_nearest_level(grey: int, class_id: int) -> None:
    assert snap(np.array([[grey]], np.uint8)).item() == class_id


@pytest.fixture
def robotic(tmp_path: Path) -> Path:
    for clip in ("Dataset1", "Dataset2", "Dataset3"):
        _write_video(tmp_path / "videos" / clip / "Video.avi", [halves(90, 90)] * 7)
        masks = {"Segmentation": (0, 160)}
        if clip == "Dataset1":
            masks = {"Left_Instrument_Segmentation": (70, 0), "Right_Instrument_Segmentation": (0, 160)}
        for name, greys in masks.items():
            _write_video(tmp_path / "mask_videos" / clip / f"{name}.avi", [halves(*greys)] * 7)
    return tmp_path


def test_robotic_keeps_every_nth_frame_and_merges_two_mask_videos(robotic: Path) -> None:
    source = endovis2015_robotic.read(robotic, frame_step=3)
    frames = list(source.frames)
    assert [frame.id for frame in frames[:3]] == ["Dataset1_00000", "Dataset1_00003", "Dataset1_00006"]
    assert len(frames) == 9
    np.testing.assert_array_equal(frames[0].load_mask()[:, 2:-2], halves(2, 1)[:, 2:-2])
    np.testing.assert_array_equal(frames[8].load_mask()[:, 2:-2], halves(0, 1)[:, 2:-2])
    assert source.splits == {"train": ["Dataset1", "Dataset2"], "test": ["Dataset3"]}


@pytest.mark.parametrize(("length", "shared"), [(5, 5), (6, 6), (8, 7)])
def test_robotic_refuses_videos_of_different_length(robotic: Path, length: int, shared: int) -> None:
    _write_video(robotic / "mask_videos" / "Dataset2" / "Segmentation.avi", [halves(0, 160)] * length)
    with pytest.raises(DatasetError, match=f"differ in length after {shared} frames"):
        list(endovis2015_robotic.read(robotic).frames)


def test_robotic_names_the_video_that_cannot_be_decoded(robotic: Path) -> None:
    (robotic / "videos" / "Dataset1" / "Video.avi").write_bytes(b"no video at all")
    with pytest.raises(DatasetError, match=r"Dataset1/Video\.avi cannot be decoded"):
        list(endovis2015_robotic.read(robotic).frames)


def test_grey_frames_are_paired_by_number(tmp_path: Path) -> None:
    for group in gae_robotic_grey.GROUPS:
        for number, grey in ((4, 0), (12, 255)):
            write_picture(
                tmp_path / group / "images" / f"Grayscale Image {number}.jpg", np.full((16, 32), 99, np.uint8)
            )
            write_picture(tmp_path / group / "masks" / f"Mask {number}.png", np.full((16, 32), grey, np.uint8))
    frames = list(gae_robotic_grey.read(tmp_path).frames)
    assert [(f.id, int(f.load_mask().max())) for f in frames[:2]] == [
        ("Alpha_training_0004", 0),
        ("Alpha_training_0012", 1),
    ]


def test_a_grey_mask_of_zeros_and_ones_is_refused_and_not_read_as_empty(tmp_path: Path) -> None:
    folder = tmp_path / gae_robotic_grey.GROUPS[0]
    write_picture(folder / "images" / "Grayscale Image 4.jpg", np.full((16, 32), 99, np.uint8))
    write_picture(folder / "masks" / "Mask 4.png", np.ones((16, 32), np.uint8))
    frame = next(iter(gae_robotic_grey.read(tmp_path).frames))
    with pytest.raises(DatasetError, match=r"Mask 4\.png holds greys up to 1 only"):
        frame.load_mask()


def test_synthetic_frames_have_their_own_seeds_and_some_hold_no_tool() -> None:
    source = synthetic_frames.read(train_frames=2, test_frames=1)
    frames = list(source.frames)
    assert source.splits == {"train": ["100000", "100001"], "test": ["200000"]}
    assert frames[0].load_mask().max() == 0
    assert {frame.load_mask().shape for frame in frames} == {(480, 640)}


@pytest.mark.parametrize("name", ["kvasir-seg", "nothing"])
def test_a_source_that_cannot_be_opened_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent does not exist|no reader is called"):
        open_source(name, tmp_path / "absent")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "counts"), [("kvasir-seg", {"train": 880, "val": 120}), ("endovis2015-rigid", {"train": 120, "test": 40})]
)
def test_the_real_stills_are_all_there(name: str, counts: dict[str, int]) -> None:
    if not (REAL / name).is_dir():
        pytest.skip(f"{name} is not beside the project")
    source = open_source(name, REAL / name)
    groups = [frame.group for frame in source.frames]
    assert {s: sum(g in set(names) for g in groups) for s, names in source.splits.items()} == counts


@pytest.mark.data
def test_the_real_clips_decode_beside_their_masks() -> None:
    if not (REAL / "endovis2015-robotic").is_dir():
        pytest.skip("endovis2015-robotic is not beside the project")
    source = endovis2015_robotic.read(REAL / "endovis2015-robotic", frame_step=100)
    frames = list(source.frames)
    assert [sum(f.group == f"Dataset{n}" for f in frames) for n in (1, 2, 3)] == [4, 4, 4]
    assert all(set(np.unique(f.load_mask())) == {0, 1, 2} for f in frames)
