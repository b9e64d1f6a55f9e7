"""A caller of the video routes, and ffprobe as an independent witness of what they make."""

import io
import json
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any, Self

import cv2
import httpx
import numpy as np

from service.imaging.geometry import U8

JOB_DEADLINE_S = 300
OUTPUTS = "annotated,frames,masks"
COMPARED = ("masks.zip", "frames.csv", "frames.jsonl")
"""Results that are the same to the byte whatever happened to their job."""


class VideoApi:
    """The video routes of a server at `url`."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def upload(self, path: Path, **query: Any) -> dict[str, Any]:
        """Upload a file as it is; the queued job."""
        with path.open("rb") as file:
            answer = self.client.post("/v1/videos", content=file, params=query, headers={"Content-Type": "video/mp4"})
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"] == f"/v1/videos/{answer.json()['id']}"
        job: dict[str, Any] = answer.json()
        return job

    def get(self, job: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/v1/videos/{job['id']}").raise_for_status().json()
        return found

    def wait(self, job: dict[str, Any], *statuses: str) -> dict[str, Any]:
        """The job once it has one of these statuses, or has ended."""
        wanted = {*statuses, "succeeded", "failed", "cancelled"}
        deadline = time.monotonic() + JOB_DEADLINE_S
        while (found := self.get(job))["status"] not in wanted:
            assert time.monotonic() < deadline, f"the job hangs: {found}"
            time.sleep(0.05)
        return found

    def wait_for_frames(self, job: dict[str, Any], frames: int) -> dict[str, Any]:
        """The job once some frames are done; it must still run then."""
        deadline = time.monotonic() + JOB_DEADLINE_S
        while (found := self.get(job))["progress"]["frames_done"] < frames:
            assert time.monotonic() < deadline, f"the job hangs: {found}"
            assert found["status"] in {"queued", "running"}, found
            time.sleep(0.02)
        return found

    def file(self, job: dict[str, Any], name: str) -> bytes:
        return self.client.get(f"/v1/videos/{job['id']}/{name}").raise_for_status().content

    def masks(self, job: dict[str, Any]) -> dict[int, U8]:
        """Frame index -> class ids uint8 [H, W]."""
        return read_masks(self.file(job, "masks.zip"))

    def results(self, job: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What does not depend on how the job went: files by name, and the checksums of the annotated `frames`."""
        (folder / "annotated.mp4").write_bytes(self.file(job, "annotated.mp4"))
        files = {name: self.file(job, name) for name in COMPARED}
        return {**files, "frames": frame_checksums(folder / "annotated.mp4")}

    def frames_counted(self) -> float:
        """By the metrics, over all models."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("endomask_video_frames_total{"))

    def check_ranges(self, job: dict[str, Any]) -> None:
        """Asked for the annotated video as a browser asks that shows it."""
        path = f"/v1/videos/{job['id']}/annotated.mp4"
        whole = self.client.get(path)
        part = self.client.get(path, headers={"Range": "bytes=1000-1999", "If-Range": whole.headers["ETag"]})
        assert (part.status_code, part.content) == (206, whole.content[1000:2000])
        assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole.content)}"
        beyond = self.client.get(path, headers={"Range": f"bytes={len(whole.content)}-"})
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole.content)}")
        assert self.client.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
        assert self.client.head(path).headers["Content-Length"] == str(len(whole.content))


def read_masks(archive: bytes) -> dict[int, U8]:
    with zipfile.ZipFile(io.BytesIO(archive)) as masks:
        names = [name for name in masks.namelist() if name.endswith(".png")]
        return {int(Path(name).stem): read_indexed(masks.read(name)) for name in names}


def read_indexed(png: bytes) -> U8:
    """An indexed PNG's pixel values, by Pillow's reading."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "P"
        return np.asarray(image, np.uint8)


def ffprobe(path: Path) -> dict[str, Any]:
    """First video stream by Debian's ffprobe: its entries, `times` of all frames in seconds, `duration_s`."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_streams", "-show_format"]
    command += ["-show_entries", "frame=best_effort_timestamp_time", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    stream: dict[str, Any] = found["streams"][0]
    times = [float(frame.get("best_effort_timestamp_time", "nan")) for frame in found["frames"]]
    all_streams = json.loads(
        subprocess.run(
            ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)], check=True, capture_output=True
        ).stdout
    )["streams"]
    return {
        **stream,
        "times": times,
        "kinds": [entry["codec_type"] for entry in all_streams],
        "format": found["format"],
    }


def frame_checksums(path: Path) -> list[str]:
    """Checksum of each decoded frame, by Debian's ffmpeg."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "framemd5", "-"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if not line.startswith("#")]


def red_in(rgb: U8) -> U8:
    """Where a frame is bright red: 1, else 0; what the red model finds."""
    low, high = np.array([200, 0, 0]), np.array([255, 80, 80])
    return np.asarray(cv2.inRange(rgb, low, high) // 255, np.uint8)


def dice(first: U8, second: U8) -> float:
    """Of what is not background; 1 where neither shows anything."""
    a, b = first > 0, second > 0
    total = int(a.sum() + b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
