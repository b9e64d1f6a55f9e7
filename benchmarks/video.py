"""Videos: our annotated clip against the loop that everyone writes first, and against FFmpeg without a net at all."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from benchmarks.bench import Bench
from benchmarks.clips import CLIP_SIZES, Clip, clip, require_ffmpeg
from benchmarks.contenders import endomask_environment
from benchmarks.machine import load
from benchmarks.processes import python, run
from benchmarks.statistics import spread, turns
from service.video.decoding.planes import Colour
from service.video.segments.encoder import VideoFormat, set_up

OURS = ("endomask", "endomask-video")
WAYS = (*OURS, "opencv", "ffmpeg")
"""All results of a job; the annotated video alone; the naive loop; FFmpeg's own transcode."""


def measure(bench: Bench, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """All ways on all clips, in rounds; `keep` gets what there is after each."""
    require_ffmpeg()
    clips = [clip(bench, size, bench.scale.clip_seconds) for size in CLIP_SIZES]
    found: dict[str, Any] = {"clips": [_describe(entry) for entry in clips], "load_before_rounds": [], "runs": []}
    for number in range(bench.scale.rounds):
        found["load_before_rounds"].append(load().as_dict())
        for way in turns(WAYS, number):
            for entry in clips:
                bench.say(f"round {number + 1}: {way} {entry.name}")
                found["runs"].append({"way": way, "clip": entry.name, "round": number, **_once(bench, way, entry)})
                bench.say(f"  {found['runs'][-1]['frames_per_second']:.1f} frames/s")
                keep(found | {"summary": summarise(found["runs"])})
    return found | {"summary": summarise(found["runs"])}


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Over the rounds, for each clip and way; busy and CPU milliseconds a frame by stage where the way tells."""
    lines = []
    for name in dict.fromkeys(entry["clip"] for entry in runs):
        for way in WAYS:
            mine = [entry for entry in runs if (entry["clip"], entry["way"]) == (name, way)]
            if mine:
                lines.append(_line(name, way, mine))
    return lines


def _line(name: str, way: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    line: dict[str, Any] = {"clip": name, "way": way}
    for key in ("frames_per_second", "realtime_factor", "cpu_ms_per_frame"):
        line[key] = spread([entry[key] for entry in runs])
    for key in ("stage_ms_per_frame", "stage_cpu_ms_per_frame"):
        if all(key in entry for entry in runs):
            line[key] = {
                stage: spread([entry[key].get(stage, 0.0) for entry in runs])["median"] for stage in runs[0][key]
            }
    return line


def _once(bench: Bench, way: str, entry: Clip) -> dict[str, Any]:
    out = bench.folder / "videos" / way
    seen = _transcode(entry, out) if way == "ffmpeg" else _in_python(bench, way, entry, out)
    frames, seconds = seen["frames"], seen["seconds"]
    described = {
        "seconds": round(seconds, 3),
        "frames_per_second": round(frames / seconds, 2),
        "realtime_factor": round(entry.seconds / seconds, 3),
        "cpu_ms_per_frame": round(1000 * seen["cpu_seconds"] / frames, 3),
    }
    for key, name in (("stage_seconds", "stage_ms_per_frame"), ("stage_cpu_seconds", "stage_cpu_ms_per_frame")):
        stages: dict[str, float] = seen.get("throughput", {}).get(key, {})
        if stages:
            described[name] = {stage: round(1000 * value / frames, 3) for stage, value in stages.items()}
    return described


def _in_python(bench: Bench, way: str, entry: Clip, out: Path) -> dict[str, Any]:
    given = (way, str(entry.path), str(out), "--package", str(bench.package.folder))
    done = run(python("benchmarks.one_video", *given), endomask_environment(bench))
    shutil.rmtree(out, ignore_errors=True)
    found: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return found


def _transcode(entry: Clip, out: Path) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    settings = ["-an", "-c:v", "libx264", *encoder_settings(entry.size)]
    done = run(["ffmpeg", "-v", "error", "-y", "-i", str(entry.path), *settings, str(out / "transcoded.mp4")])
    shutil.rmtree(out, ignore_errors=True)
    return {"frames": entry.frames, "seconds": done.seconds, "cpu_seconds": done.cpu_seconds}


def encoder_settings(size: tuple[int, int]) -> list[str]:
    """FFmpeg's arguments for what the service sets libx264 to, at 25 frames a second."""
    context = av.CodecContext.create("libx264", "w")
    picture = VideoFormat(*size, Fraction(1, 25), Fraction(25), Fraction(1), Colour())
    set_up(context, picture, threads=1)
    return [
        "-g",
        str(context.gop_size),
        *(part for name, value in context.options.items() for part in (f"-{name}", value)),
    ]


def _describe(entry: Clip) -> dict[str, Any]:
    return {
        "clip": entry.name,
        "seconds": entry.seconds,
        "frames": entry.frames,
        "megabits_per_second": entry.megabits_per_second,
    }
