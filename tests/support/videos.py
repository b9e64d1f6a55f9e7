"""Video files of every kind that the service meets, each written by PyAV and always the same.

They show a bright red box that wanders over pink: `frame_at(index)` is the truth. Functions write to `path` and
return it.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from service.imaging.geometry import U8
from tests.support.red import red_frame

HEIGHT, WIDTH, FRAMES, FPS = 96, 128, 12, 25

VARIANTS: dict[str, tuple[str, str]] = {
    "h264.mp4": ("libx264", "yuv420p"),
    "h264.mov": ("libx264", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p"),
    "h264.avi": ("libx264", "yuv420p"),
    "h264.ts": ("libx264", "yuv420p"),
    "h264-10bit.mp4": ("libx264", "yuv420p10le"),
    "h264-444.mp4": ("libx264", "yuv444p"),
    "hevc.mp4": ("libx265", "yuv420p"),
    "hevc-10bit.mkv": ("libx265", "yuv420p10le"),
    "mpeg4.mp4": ("mpeg4", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "mjpeg.avi": ("mjpeg", "yuvj420p"),
    "vp8.webm": ("libvpx", "yuv420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
    "ffv1.mkv": ("ffv1", "yuv420p"),
}
"""File name -> encoder and pixel format; the suffix chooses the container."""

_OPTIONS = {
    "libx264": {"crf": "12", "preset": "veryfast", "threads": "1"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1:crf=12"},
    "libvpx": {"crf": "8", "b": "1M", "deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"crf": "15", "b": "0", "deadline": "realtime", "cpu-used": "8"},
    "mpeg4": {"b": "2M"},
}


def frame_at(index: int, height: int = HEIGHT, width: int = WIDTH) -> U8:
    """RGB uint8 [H, W, 3]: the box is a third of the frame's sides and moves two pixels right a frame."""
    room = width - width // 3
    return red_frame(height, width, ((8 + 2 * index) % room, height // 4, width // 3, height // 3))


def write_video(
    path: Path,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    *,
    height: int = HEIGHT,
    width: int = WIDTH,
    frames: int = FRAMES,
    fps: Fraction | int = FPS,
    times_ms: Sequence[int] | None = None,
    rotation_degrees: int = 0,
    sound: bool = False,
    metadata: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write `frames` pictures; `times_ms` gives each its own time (variable rate) in place of `fps`.

    `rotation_degrees` (90, 180, 270) is put in the display matrix, counter-clockwise as FFmpeg counts.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.height, stream.width, stream.pix_fmt = height, width, pixel_format
        stream.options = dict(_OPTIONS.get(codec, {}))
        if rotation_degrees:
            stream.set_display_rotation(rotation_degrees)
        tick_s = Fraction(1, 1000) if times_ms is not None else 1 / Fraction(fps)
        stream.codec_context.time_base = tick_s
        audio = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for index in range(frames if times_ms is None else len(times_ms)):
            frame = av.VideoFrame.from_ndarray(frame_at(index, height, width), format="rgb24")
            frame.pts = index if times_ms is None else times_ms[index]
            frame.time_base = tick_s
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            _encode_tone(container, audio, seconds=frames / float(fps))
    return path


def write_variant(folder: Path, name: str, **options: object) -> Path:
    """One of `VARIANTS` in `folder`; `options` as for `write_video`."""
    codec, pixel_format = VARIANTS[name]
    return write_video(folder / name, codec, pixel_format, **options)  # type: ignore[arg-type]


def odd_sized(path: Path) -> Path:
    """321x241, which needs 4:4:4."""
    return write_video(path, pixel_format="yuv444p", height=241, width=321)


def rotated(path: Path, degrees: int) -> Path:
    """Held like a phone: the display matrix turns it by 90, 180 or 270 degrees."""
    return write_video(path, rotation_degrees=degrees)


IRREGULAR_MS = (0, 40, 80, 200, 210, 220, 400, 440, 700, 710, 900, 1000)


def variable_rate(path: Path) -> Path:
    """Frames at `IRREGULAR_MS`."""
    return write_video(path, times_ms=IRREGULAR_MS)


def audio_only(path: Path) -> Path:
    """A second of tone, no picture."""
    with av.open(str(path), "w") as container:
        _encode_tone(container, container.add_stream("aac", rate=8000, layout="mono"), seconds=1.0)
    return path


def empty(path: Path) -> Path:
    """No byte."""
    path.write_bytes(b"")
    return path


def text_as_video(path: Path) -> Path:
    """Text with a video's name."""
    path.write_text("This is not a video.\n" * 50)
    return path


def without_frames(path: Path) -> Path:
    """A well-formed MP4 head (ftyp and an empty mdat) with nothing in it."""
    path.write_bytes(b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00\x00\x00\x08mdat")
    return path


def truncated(path: Path, share: float = 0.5, *, faststart: bool = False) -> Path:
    """A clip of 50 frames cut off after `share` of its bytes: MP4 loses its index, or with `faststart` only its end.

    Motion JPEG: its frames weigh alike, so that `share` of the bytes is `share` of the frames.
    """
    write_video(path, "mjpeg", "yuvj420p", frames=50, container_options={"movflags": "+faststart"} if faststart else {})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def damaged(path: Path, frames: int = 50, every: int = 10) -> Path:
    """An MPEG-4 clip in which every tenth frame's bytes are overwritten; the others decode."""
    write_video(path, "mpeg4", frames=frames)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for position, size in packets[every - 1 :: every]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    return path


def hls_playlist(path: Path, targets: Iterable[str]) -> Path:
    """A playlist that names other files or addresses, whatever the suffix of `path`."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:10"]
    lines += [line for target in targets for line in ("#EXTINF:10.0,", target)]
    path.write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    return path


def concat_playlist(path: Path, targets: Iterable[str]) -> Path:
    """FFmpeg's list of files to play one after another."""
    path.write_text("\n".join(["ffconcat version 1.0", *(f"file '{target}'" for target in targets), ""]))
    return path


def _encode_tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    rate, chunk = 8000, 1024
    for start in range(0, int(seconds * rate), chunk):
        wave = np.sin(2 * np.pi * 440 * np.arange(start, start + chunk) / rate).astype(np.float32)[None] * 0.3
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
