"""Damaged and odd video files, made here, each with what is known of it. Functions write to `path` and return it.

Pictures are those of `tests.support.videos`, so `frame_at(index)` stays the truth.
"""

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from tests.support import videos

FRAMES = 60
GROUP = 10
"""Frames from keyframe to keyframe, at most."""
_TEN_HOURS_MS = 36_000_000


def short_groups(path: Path, codec: str = "libx264", frames: int = FRAMES) -> Path:
    """A keyframe every ten frames, and every frame of its own bytes (no frame is skipped by the encoder)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=videos.FPS)
        stream.height, stream.width, stream.pix_fmt = videos.HEIGHT, videos.WIDTH, "yuv420p"
        stream.gop_size = GROUP
        stream.options = {"crf": "12", "preset": "veryfast", "threads": "1"} if codec == "libx264" else {"b": "2M"}
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(videos.frame_at(index), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, videos.FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut_off(path: Path) -> Path:
    """The last 40 % of the bytes are missing."""
    data = short_groups(path).read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def cut_off_with_index(path: Path) -> Path:
    """The same, of an MP4 whose index comes first and still names all frames."""
    whole = short_groups(path.with_name("whole.mp4"))
    _ffmpeg("-i", str(whole), "-c", "copy", "-movflags", "+faststart", str(path))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def holed(path: Path) -> Path:
    """A tenth of the bytes, in the middle, are overwritten."""
    data = bytearray(short_groups(path).read_bytes())
    first, last = len(data) * 45 // 100, len(data) * 55 // 100
    data[first:last] = bytes(value % 251 for value in range(first, last))
    path.write_bytes(data)
    return path


def without_keyframe_list(path: Path) -> Path:
    """An MP4 that calls every frame a keyframe: its list of keyframes is gone."""
    return _rename_box(short_groups(path), b"stss", b"free")


def with_false_keyframes(path: Path) -> Path:
    """An MP4 whose list of keyframes names the wrong frames, each three too late."""
    data = bytearray(short_groups(path).read_bytes())
    start = data.index(b"stss") + 8
    count = int.from_bytes(data[start : start + 4], "big")
    for place in range(start + 4, start + 4 + 4 * count, 4):
        late = int.from_bytes(data[place : place + 4], "big") + 3
        data[place : place + 4] = late.to_bytes(4, "big")
    path.write_bytes(data)
    return path


def without_avi_index(path: Path) -> Path:
    """An AVI whose index is not found."""
    return _rename_box(short_groups(path, "mpeg4"), b"idx1", b"JUNK")


def with_false_avi_index(path: Path) -> Path:
    """An AVI whose index points to wrong places."""
    data = bytearray(short_groups(path, "mpeg4").read_bytes())
    start = data.index(b"idx1") + 8
    for place in range(start + 8, len(data) - 16, 16):
        data[place : place + 4] = (int.from_bytes(data[place : place + 4], "little") + 1234).to_bytes(4, "little")
    path.write_bytes(data)
    return path


def without_first_keyframe(path: Path) -> Path:
    """It begins four frames into a group of ten, as a recording that was cut by copying."""
    return _drop_packets(path, range(4))


def without_middle_keyframe(path: Path) -> Path:
    """The keyframe of the third group is missing."""
    return _drop_packets(path, range(20, 21))


def of_two_sizes(path: Path) -> Path:
    """MPEG-TS that goes on at half the size after twelve frames."""
    second = path.with_name("second.ts")
    videos.write_video(path)
    times = [1000 * index // videos.FPS for index in range(videos.FRAMES, 2 * videos.FRAMES)]
    videos.write_video(second, height=videos.HEIGHT // 2, width=videos.WIDTH // 2, times_ms=times)
    path.write_bytes(path.read_bytes() + second.read_bytes())
    return path


def joined(path: Path) -> Path:
    """Two MPEG-TS recordings one after another: the times begin anew in the middle."""
    data = short_groups(path).read_bytes()
    path.write_bytes(data + data)
    return path


def out_of_order(path: Path) -> Path:
    """Motion JPEG in Matroska in which the times of frames 5 and 7 are exchanged."""
    data = bytearray(videos.write_video(path, "mjpeg", "yuvj420p").read_bytes())
    starts = [place for place in range(len(data)) if data[place : place + 3] == b"\xff\xd8\xff"]
    times = [slice(starts[index] - 3, starts[index] - 1) for index in (5, 7)]
    data[times[0]], data[times[1]] = data[times[1]], data[times[0]]
    path.write_bytes(data)
    return path


def ten_hours_late(path: Path) -> Path:
    """The first frame is shown at 36,000 s."""
    times = [_TEN_HOURS_MS + 1000 * index // videos.FPS for index in range(videos.FRAMES)]
    return videos.write_video(path, times_ms=times)


def without_duration(path: Path) -> Path:
    """An MP4 whose headers say that it lasts 0 s."""
    data = bytearray(videos.write_video(path).read_bytes())
    for box, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        start = data.index(box) + offset
        data[start : start + 4] = bytes(4)
    path.write_bytes(data)
    return path


def one_frame(path: Path) -> Path:
    return videos.write_video(path, frames=1)


def cover_only(path: Path) -> Path:
    """Sound with an attached picture."""
    tone = videos.audio_only(path.with_name("tone.m4a"))
    picture = path.with_name("cover.jpg")
    _ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", str(picture))
    streams = ("-map", "0:a", "-map", "1:v", "-c", "copy", "-disposition:v:0", "attached_pic")
    _ffmpeg("-i", str(tone), "-i", str(picture), *streams, str(path))
    return path


def paused(path: Path) -> Path:
    """Regular frames with a hole of two seconds after the sixth."""
    return videos.write_video(path, times_ms=[40 * index + (2000 if index >= 6 else 0) for index in range(12)])


Maker = Callable[[Path], Path]

DECODABLE: dict[str, Maker] = {
    "cut-off.ts": cut_off,
    "cut-off.mkv": cut_off,
    "cut-off-with-index.mp4": cut_off_with_index,
    "holed.ts": holed,
    "holed.mkv": holed,
    "holed.mp4": holed,
    "holed.avi": holed,
    "without-keyframe-list.mp4": without_keyframe_list,
    "false-keyframes.mp4": with_false_keyframes,
    "without-index.avi": without_avi_index,
    "false-index.avi": with_false_avi_index,
    "without-first-keyframe.mkv": without_first_keyframe,
    "without-first-keyframe.ts": without_first_keyframe,
    "without-middle-keyframe.mkv": without_middle_keyframe,
    "two-sizes.ts": of_two_sizes,
    "joined.ts": joined,
    "out-of-order.mkv": out_of_order,
    "ten-hours-late.mp4": ten_hours_late,
    "ten-hours-late.mkv": ten_hours_late,
    "without-duration.mp4": without_duration,
    "one-frame.mp4": one_frame,
    "one-frame.mkv": one_frame,
    "paused.mp4": paused,
}
"""File name -> its maker; something can be decoded of each."""

UNDECODABLE: dict[str, Maker] = {
    "cut-off.mp4": cut_off,
    "empty.mp4": videos.empty,
    "text.mp4": videos.text_as_video,
    "without-frames.mp4": videos.without_frames,
    "sound.mp4": videos.audio_only,
    "cover.m4a": cover_only,
}


def _rename_box(path: Path, name: bytes, other: bytes) -> Path:
    data = path.read_bytes()
    place = data.rindex(name)
    path.write_bytes(data[:place] + other + data[place + 4 :])
    return path


def _drop_packets(path: Path, dropped: range) -> Path:
    whole = short_groups(path.with_name(f"whole{path.suffix}"))
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = (packet for packet in source.demux(video=0) if packet.size)
        for number, packet in enumerate(packets):
            if number not in dropped:
                packet.stream = stream
                target.mux(packet)
    return path


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True, capture_output=True)
