"""What a caller may choose about a video, and what every segment needs to know."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

Output = Literal["annotated", "frames", "masks", "report"]
ALL_OUTPUTS: tuple[Output, ...] = get_args(Output)

EncoderName = Literal["libx264", "h264_nvenc", "h264_qsv"]
EncoderChoice = Literal["auto", "libx264", "h264_nvenc", "h264_qsv"]

DecoderName = Literal["software", "cuda"]
DecoderChoice = Literal["software", "auto", "cuda"]

OutOfBodyChoice = Literal["off", "mark", "pixelate"]
LONGEST_SMOOTHING = 25
LONGEST_BRIDGE_S = 60.0

FILES_OF: dict[Output, tuple[str, ...]] = {
    "annotated": ("annotated.mp4",),
    "frames": ("frames.csv", "frames.jsonl", "frames.parquet"),
    "masks": ("masks.zip",),
    "report": ("report.html",),
}
"""Result files of each output. summary.json is always made."""

SUMMARY_FILE = "summary.json"


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Options of one job.

    `frame_step` n segments every n-th frame; the annotated video keeps every frame and holds the mask of the latest
    segmented one. `max_frames` n reads the first n frames only. `threshold` None takes the model's own. `encoder` auto
    takes a GPU's where it works. `smoothing` n decides on the mean probabilities of n segmented frames, see
    `smoothing.Smoother`. `bridge_s` are the seconds out of view that don't interrupt an interval in view. `out_of_body`
    is what is done about frames that don't show the inside of a body.
    """

    frame_step: int = 1
    max_frames: int | None = None
    threshold: float | None = None
    outputs: tuple[Output, ...] = ALL_OUTPUTS
    segment_seconds: float = 10.0
    overlay_opacity: float = 0.45
    encoder: EncoderChoice = "auto"
    smoothing: int = 1
    bridge_s: float = 0.0
    out_of_body: OutOfBodyChoice = "off"

    def stored(self) -> dict[str, Any]:
        """As the job database keeps it, in JSON."""
        return {**asdict(self), "outputs": list(self.outputs)}

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> Self:
        return cls(**{**stored, "outputs": tuple(stored["outputs"])})

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the result files that this job makes."""
        return (SUMMARY_FILE, *(name for output in self.outputs for name in FILES_OF[output]))
