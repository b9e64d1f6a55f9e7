"""A video with masks for some of its frames, in a folder or in a zip: the frames that have one, beside their masks."""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from training.datasets.published.masks import decode_grey, read_bytes, to_ids
from training.errors import DatasetError, MaskSizeError

VIDEO, MASKS = "video_left.avi", "segmentation"

RecordingPath = Path
"""A folder with VIDEO and MASKS in it, or a zip of such a folder's contents (or of the folder itself)."""

AnnotatedFrame = tuple[int, NDArray[np.uint8], Callable[[], NDArray[np.uint8]]]


def annotated_frames(recording: RecordingPath, values: Mapping[int, int]) -> Iterator[AnnotatedFrame]:
    """(frame number, RGB uint8 [H, W, 3], mask as class ids uint8 [H, W] by `values`), in the order of the video.

    Raises DatasetError that names `recording` when it is no readable archive, lacks the video or the masks, or when
    the video ends before the last frame that has a mask. What is wrong with one mask is raised when it is called for.
    """
    with _unpacked(recording) as folder:
        masks = {_number(path, recording): path for path in sorted((folder / MASKS).glob("*.png"))}
        if not masks:
            raise DatasetError(f"{recording} holds no {MASKS}/*.png")
        if not (folder / VIDEO).is_file():
            raise DatasetError(f"{recording} holds no {VIDEO}")
        for number, picture in _pick(folder / VIDEO, set(masks), recording):
            origin = f"{recording}/{MASKS}/{masks[number].name}"
            yield number, picture, partial(_mask, read_bytes(masks[number]), picture.shape[:2], values, origin)


def count_masks(recording: RecordingPath) -> int:
    """Masks in `recording`, from its directory alone."""
    if recording.is_dir():
        return len(list((recording / MASKS).glob("*.png")))
    with _opened(recording) as archive:
        return sum(_is_mask(PurePosixPath(name)) for name in archive.namelist())


@contextmanager
def _unpacked(recording: RecordingPath) -> Iterator[Path]:
    """A folder with VIDEO and MASKS; that of an archive is temporary."""
    if recording.is_dir():
        yield recording
        return
    with tempfile.TemporaryDirectory(prefix="endomask-recording-") as temporary:
        folder = Path(temporary)
        (folder / MASKS).mkdir()
        with _opened(recording) as archive:
            _extract(archive, folder, recording)
        yield folder


def _extract(archive: zipfile.ZipFile, folder: Path, recording: RecordingPath) -> None:
    """Only what is read, under names of our own: no path of the archive reaches the disk."""
    for name in archive.namelist():
        member = PurePosixPath(name)
        if member.name != VIDEO and not _is_mask(member):
            continue
        target = folder / VIDEO if member.name == VIDEO else folder / MASKS / member.name
        try:
            with archive.open(name) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DatasetError(f"{recording} is damaged at {name}: {error}") from error


@contextmanager
def _opened(recording: RecordingPath) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(recording)
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(f"{recording} is no readable zip archive: {error}") from error
    with archive:
        yield archive


def _is_mask(member: PurePosixPath) -> bool:
    hidden = member.name.startswith(".")  # macOS writes ._NAME.png beside NAME.png
    return member.parent.name == MASKS and member.suffix == ".png" and not hidden


def _number(path: Path, recording: RecordingPath) -> int:
    if not path.stem.isdecimal():
        raise DatasetError(f"{recording}/{MASKS}/{path.name} is not named after a frame number")
    return int(path.stem)


def _pick(video: Path, wanted: set[int], recording: RecordingPath) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The frames `wanted`, counted from 0; the video is decoded in one pass, and a frame is held at a time."""
    done, last = 0, max(wanted)
    try:
        with av.open(str(video)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for number, frame in enumerate(container.decode(video=0)):
                done = number + 1
                if number in wanted:
                    yield number, np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
                if number == last:
                    return
    except (av.error.FFmpegError, IndexError) as error:
        raise DatasetError(f"{recording}/{VIDEO} cannot be decoded: {error}") from error
    missing = sorted(number for number in wanted if number >= done)
    raise DatasetError(f"{recording}/{VIDEO} ends after {done} frames; there are masks for {missing[:5]}")


def _mask(data: bytes, size: tuple[int, ...], values: Mapping[int, int], origin: str) -> NDArray[np.uint8]:
    grey = decode_grey(data, origin)
    if grey.shape != size:
        raise MaskSizeError(f"{origin} is {grey.shape[1]}x{grey.shape[0]}, its frame {size[1]}x{size[0]}")
    return to_ids(grey, values, origin)
