"""SAR-RARP50 (Psychogyios et al., arXiv:2401.00496): 50 suturing videos of prostatectomies, 1920x1080, 10 classes.

    train*/video_NN.zip, test*/video_NN.zip     one archive a video, or the folder that it unpacks to; in it:
        video_left.avi                          60 frames a second
        segmentation/000000060.png              one a second, named after the frame; the value is the class
        action_*.txt                            not read

The release is https://rdr.ucl.ac.uk/articles/dataset/SAR-RARP50_train_set/24932529 (40 videos) and
.../SAR-RARP50_test_set/24932499 (10); frames are counted as its toolkit does
(https://github.com/surgical-vision/SAR_RARP50-evaluation). Five operations come in two parts (video_11_1, video_11_2):
a part belongs to the group of its operation. Only the frames that have a mask are kept, and no archive is unpacked
whole: one video at a time lies in a temporary folder.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.datasets.index import ClassInfo
from training.datasets.options import Count, Seed
from training.datasets.published.carve import carve
from training.datasets.published.recordings import RecordingPath, annotated_frames, count_masks
from training.datasets.source import SourceDataset, SourceFrame
from training.errors import DatasetError

CLASSES = [
    ClassInfo(id=0, name="background", colour=(0, 0, 0)),
    ClassInfo(id=1, name="tool clasper", colour=(255, 176, 32)),
    ClassInfo(id=2, name="tool wrist", colour=(255, 96, 64)),
    ClassInfo(id=3, name="tool shaft", colour=(64, 160, 255)),
    ClassInfo(id=4, name="suturing needle", colour=(255, 255, 64)),
    ClassInfo(id=5, name="thread", colour=(64, 224, 96)),
    ClassInfo(id=6, name="suction tool", colour=(160, 96, 255)),
    ClassInfo(id=7, name="needle holder", colour=(255, 96, 192)),
    ClassInfo(id=8, name="clamps", colour=(0, 208, 208)),
    ClassInfo(id=9, name="catheter", colour=(192, 192, 192)),
]
LAST_TRAINING_VIDEO = 40
NAME = re.compile(r"video_(\d+)(_\d+)?")
SPLIT_FOLDER = re.compile(r"(?:sar-rarp50[-_ ])?(train|test)(?:[-_ ]?(?:set|data))?\d*")
"""train1, train2, test of the challenge; SAR-RARP50_train_set of the release; names that people give."""


@dataclass(frozen=True)
class _Video:
    path: RecordingPath
    group: str
    split: str


def read(source: Path, validation_videos: Count = 4, seed: Seed = 0) -> SourceDataset:
    """The annotated frames of all videos under `source` (or of one archive). Training and test as released;
    `validation_videos` operations are drawn with `seed` from the training ones."""
    videos = _find(source)
    return SourceDataset(
        name="sar-rarp50",
        source="SAR-RARP50, https://www.synapse.org/#!Synapse:syn27618412/wiki/616881",
        licence="non-commercial research use; cite Psychogyios et al., SAR-RARP50, arXiv:2401.00496, 2023",
        split_unit=f"operation (as released; validation drawn with seed {seed})",
        classes=CLASSES,
        splits=_splits(videos, validation_videos, seed),
        frames=_frames(videos),
        count=sum(count_masks(video.path) for video in videos),
    )


def _find(source: Path) -> list[_Video]:
    """Archives and folders called video_NN at any depth; an archive beside its folder is left aside."""
    found = sorted(source.rglob("video_*")) if source.is_dir() else [source]
    folders = {path for path in found if path.is_dir() and NAME.fullmatch(path.name)}
    archives = {path for path in found if path.suffix == ".zip" and path.with_suffix("") not in folders}
    videos = [_describe(path, source) for path in sorted(folders | archives)]
    if not videos:
        raise DatasetError(f"{source} holds no video_NN.zip and no folder video_NN")
    return videos


def _describe(path: Path, source: Path) -> _Video:
    name = path.stem if path.suffix == ".zip" else path.name
    match = NAME.fullmatch(name)
    if match is None:
        raise DatasetError(f"{path} is not called video_NN or video_NN_PART, so its operation is not known")
    number = int(match[1])
    above = path.relative_to(source).parts[:-1] if path != source else ()
    told = [match[1] for part in (source.name, *above) if (match := SPLIT_FOLDER.fullmatch(part.lower()))]
    by_number = "train" if number <= LAST_TRAINING_VIDEO else "test"
    return _Video(path, f"video_{number:02d}", told[-1] if told else by_number)


def _splits(videos: list[_Video], validation_videos: int, seed: int) -> dict[str, list[str]]:
    groups = {split: {video.group for video in videos if video.split == split} for split in ("train", "test")}
    both = sorted(groups["train"] & groups["test"])
    if both:
        raise DatasetError(f"{both[0]} lies in the training and in the test folder")
    train, validation = carve(groups["train"], validation_videos if groups["train"] else 0, seed)
    parts = {"train": train, "val": validation, "test": sorted(groups["test"])}
    return {name: members for name, members in parts.items() if members}


def _frames(videos: list[_Video]) -> Iterator[SourceFrame]:
    values = {info.id: info.id for info in CLASSES}
    for video in videos:
        name = video.path.stem if video.path.suffix == ".zip" else video.path.name
        for number, image, mask in annotated_frames(video.path, values):
            yield SourceFrame(f"{name}_{number:09d}", video.group, image, mask)
