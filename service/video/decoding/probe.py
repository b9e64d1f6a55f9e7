"""What a video says of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video as a person sees it: `width` and `height` in pixels after rotation."""

    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    """Degrees counterclockwise by which the stored picture is turned: 0, 90, 180 or 270."""
    frame_rate: float | None
    duration_s: float | None
    frames: int | None
    """What the header says; the index counts them."""
    pixel_aspect: str
    """Width to height of a pixel as seen, e.g. `16:15`; masks and rows count stored pixels."""
    bytes: int
