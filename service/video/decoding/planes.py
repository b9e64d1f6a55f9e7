"""Frames as three YUV planes: into an encoder's frame, and into a model's input."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from service.imaging.geometry import U8, InputSpec, apply_filters, content_box, resize

_FULL_RANGE = 2
_BT601_WEIGHTS = (0.299, 0.114)
_WEIGHTS = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Share of red and of blue in the luma, by FFmpeg's colour space: BT.709 and BT.2020; all others as BT.601."""


@dataclass(frozen=True, slots=True)
class Colour:
    """How a frame's YUV values stand for colours, as FFmpeg numbers them (2 is unspecified)."""

    space: int = 2
    range: int = 0
    primaries: int = 2
    transfer: int = 2

    def from_rgb(self) -> npt.NDArray[np.float32]:
        """Matrix float32 [3, 4]: RGB of 0..255 and a one -> YUV of 0..255."""
        red, blue = _WEIGHTS.get(self.space, _BT601_WEIGHTS)
        luma = np.array([red, 1 - red - blue, blue])
        rows = np.stack([luma, (np.eye(3)[2] - luma) / (2 * (1 - blue)), (np.eye(3)[0] - luma) / (2 * (1 - red))])
        full = self.range == _FULL_RANGE
        scales = np.array([1, 1, 1]) if full else np.array([219, 224, 224]) / 255
        offsets = np.array([0 if full else 16, 128, 128])
        return np.column_stack([rows * scales[:, None], offsets]).astype(np.float32)

    def to_rgb(self) -> npt.NDArray[np.float32]:
        """Matrix float32 [3, 4]: YUV of 0..255 and a one -> RGB of 0..255."""
        forward = self.from_rgb().astype(np.float64)
        inverse = np.linalg.inv(forward[:, :3])
        return np.column_stack([inverse, -inverse @ forward[:, 3]]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture as seen: `y` uint8 [H, W]; `u`, `v` uint8 [(H + 1) / 2, (W + 1) / 2]."""

    y: U8
    u: U8
    v: U8
    colour: Colour


def to_frame(planes: Planes, reused: VideoFrame | None = None) -> VideoFrame:
    """Planes -> yuv420p frame of even size: an odd width or height grows by one, repeating the last column or row.

    Given the frame of an earlier call for planes of the same size, its memory is written again, unless an encoder still
    holds it.
    """
    height, width = planes.y.shape
    frame = reused or VideoFrame(width + width % 2, height + height % 2, "yuv420p")
    frame.make_writable()
    for target, source in zip(frame.planes, (planes.y, planes.u, planes.v), strict=True):
        view = _pixels(target)
        view[: source.shape[0], : source.shape[1]] = source
        view[: source.shape[0], source.shape[1] :] = source[:, -1:]
        view[source.shape[0] :] = view[source.shape[0] - 1]
    frame.colorspace, frame.color_range = planes.colour.space, planes.colour.range
    return frame


def to_model_input(planes: Planes, spec: InputSpec) -> U8:
    """Planes -> RGB uint8 [h, w, 3] at the model's size, what `geometry.prepare` gives for the frame in RGB.

    Averaging and the change to RGB are both linear, so each plane is shrunk first and only the small picture is turned
    into RGB: equal but for rounding, at a tenth of the time.
    """
    box = content_box(spec, *planes.y.shape)
    yuv = cv2.merge([resize(plane, box.height, box.width) for plane in (planes.y, planes.u, planes.v)])
    rgb = apply_filters(np.asarray(cv2.transform(yuv, planes.colour.to_rgb()), np.uint8), spec.filters)
    if spec.resize == "stretch":
        return rgb
    canvas = np.zeros((spec.height, spec.width, 3), np.uint8)
    canvas[box.top : box.top + box.height, box.left : box.left + box.width] = rgb
    return canvas


def to_rgb(planes: Planes) -> U8:
    """Planes -> RGB uint8 [H, W, 3]."""
    height, width = planes.y.shape
    return to_model_input(planes, InputSpec(height, width))


def _pixels(plane: VideoPlane) -> U8:
    """A plane's pixels uint8 [H, W], in the frame's own memory."""
    rows: U8 = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
