"""The video clips: `examples/clip.mp4`, looped and scaled by FFmpeg, made once and kept."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench, name_of
from benchmarks.machine import ROOT
from benchmarks.processes import run

CLIP_SIZES = ((720, 576), (1920, 1080))


@dataclass(frozen=True, slots=True)
class Clip:
    path: Path
    size: tuple[int, int]
    seconds: float
    frames: int
    megabits_per_second: float

    @property
    def name(self) -> str:
        return name_of(self.size)


def clip(bench: Bench, size: tuple[int, int], seconds: int) -> Clip:
    """H.264 in MP4 at 25 frames a second; raises RuntimeError without FFmpeg."""
    path = bench.folder / "clips" / f"{name_of(size)}-{seconds}s.mp4"
    if not path.exists():
        bench.say(f"making {path.name}")
        _make(path, size, seconds)
    return _described(path, size)


def require_ffmpeg() -> None:
    """Raises RuntimeError with the next step."""
    for tool in ("ffmpeg", "ffprobe"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"{tool} is not installed; the videos need it (Debian, Ubuntu: apt-get install ffmpeg)")


def _make(path: Path, size: tuple[int, int], seconds: int) -> None:
    """The picture's proportions give way; a clip that was cut off while it was made is not left behind."""
    require_ffmpeg()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.mp4")
    source = ["-stream_loop", "-1", "-i", str(ROOT / "examples/clip.mp4"), "-t", str(seconds)]
    picture = ["-vf", f"scale={size[0]}:{size[1]}:flags=lanczos,setsar=1", "-pix_fmt", "yuv420p"]
    encoder = ["-an", "-c:v", "libx264", "-preset", "medium", "-crf", "20", "-movflags", "+faststart"]
    run(["ffmpeg", "-v", "error", "-y", *source, *picture, *encoder, str(unfinished)])
    unfinished.rename(path)


def _described(path: Path, size: tuple[int, int]) -> Clip:
    require_ffmpeg()
    asked = ["-select_streams", "v", "-show_entries", "stream=nb_frames,duration:format=bit_rate", "-of", "json"]
    found = json.loads(run(["ffprobe", "-v", "error", *asked, str(path)]).output)
    stream, container = found["streams"][0], found["format"]
    megabits = round(int(container["bit_rate"]) / 1e6, 2)
    return Clip(path, size, float(stream["duration"]), int(stream["nb_frames"]), megabits)
