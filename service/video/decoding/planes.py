"""Frames as three YUV planes: in an encoder's frame, and into a model's input."""

from dataclasses import dataclass
from typing import Self

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
    """A picture as seen: `y` uint8 [H, W]; `u`, `v` uint8 [(H + 1) / 2, (W + 1) / 2].

    They lie in the memory of `frame` (yuv420p, of even size), so that what is drawn on them is encoded without a copy.
    """

    y: U8
    u: U8
    v: U8
    colour: Colour
    frame: VideoFrame

    @classmethod
    def empty(cls, height: int, width: int, colour: Colour, frame: VideoFrame | None = None) -> Self:
        """Whatever the memory holds: new, or that of an earlier picture's `frame` of the same size.

        While an encoder still holds that one, it gets new memory instead.
        """
        frame = frame or VideoFrame(width + width % 2, height + height % 2, "yuv420p")
        frame.make_writable()
        y, u, v = (_pixels(plane) for plane in frame.planes)
        return cls(y[:height, :width], u, v, colour, frame)

    @classmethod
    def of(cls, y: U8, u: U8, v: U8, colour: Colour) -> Self:
        """A picture with copies of these planes."""
        height, width = y.shape
        planes = cls.empty(height, width, colour)
        for target, source in zip((planes.y, planes.u, planes.v), (y, u, v), strict=True):
            target[:] = source
        return planes


def to_frame(planes: Planes) -> VideoFrame:
    """The planes' frame, for an encoder: an odd width or height grows by one, repeating the last column or row."""
    height, width = planes.y.shape
    grown = _pixels(planes.frame.planes[0])
    grown[:height, width:] = planes.y[:, -1:]
    grown[height:] = grown[height - 1]
    planes.frame.colorspace, planes.frame.color_range = planes.colour.space, planes.colour.range
    return planes.frame


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
