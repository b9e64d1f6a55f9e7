"""Which H.264 encoder writes annotated videos, and how it is set: a GPU's where one really encodes, else libx264.

libx264's settings are measured on real frames with masks drawn (docs/speed.md). `ultrafast` looks neither ahead nor for
scene changes, of which endoscopy has few; given back the arithmetic coder and the deblocking filter, it makes pictures
of `superfast` in as many bytes at 1080p, for two thirds of the computing time.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from service.errors import EncoderUnavailable
from service.video.decoding.planes import Colour
from service.video.options import EncoderChoice, EncoderName

_HARDWARE: tuple[EncoderName, ...] = ("h264_nvenc", "h264_qsv")
_KEYFRAME_SECONDS = 2
"""A browser that jumps to a time decodes from the keyframe before it."""
# Without B-frames packets are stored in the order shown, so segments join without a gap or an edit list.
_OPTIONS: dict[EncoderName, dict[str, str]] = {
    "libx264": {"preset": "ultrafast", "crf": "23", "bf": "0", "x264-params": "cabac=1:deblock=0,0"},
    "h264_nvenc": {"preset": "p4", "rc": "vbr", "cq": "23", "b": "0", "bf": "0", "forced-idr": "1"},
    "h264_qsv": {"preset": "faster", "global_quality": "23", "bf": "0", "forced_idr": "1"},
}
_PROVED: set[tuple[EncoderName, int, int]] = set()
"""Encoders and picture sizes of which a packet was seen in this process."""
_PIXEL_FORMATS: dict[EncoderName, str] = {"libx264": "yuv420p", "h264_nvenc": "yuv420p", "h264_qsv": "nv12"}


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What is the same in all segments of a video. `width` and `height` are even."""

    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction
    pixel_aspect: Fraction
    colour: Colour
    encoder: EncoderName = "libx264"


def set_up(context: VideoCodecContext, video: VideoFormat, threads: int) -> None:
    """Everything that makes the encoder's stream, so that every segment's is the same."""
    context.width, context.height, context.pix_fmt = video.width, video.height, _PIXEL_FORMATS[video.encoder]
    context.time_base, context.framerate = video.time_base, video.frame_rate
    context.sample_aspect_ratio = video.pixel_aspect
    context.thread_count = threads
    context.color_range, context.colorspace = video.colour.range, video.colour.space
    context.color_primaries, context.color_trc = video.colour.primaries, video.colour.transfer
    context.gop_size = max(1, round(_KEYFRAME_SECONDS * video.frame_rate))
    context.options = dict(_OPTIONS[video.encoder])


def choose_encoder(asked: EncoderChoice, width: int, height: int) -> EncoderName:
    """`auto` takes the first hardware encoder that encodes a picture of this size (both even) here, else libx264.

    One asked for by name is never replaced: raises EncoderUnavailable.
    """
    if asked == "auto":
        return next((name for name in _HARDWARE if encodes(name, width, height)), "libx264")
    if not encodes(asked, width, height):
        raise EncoderUnavailable(
            f"the video encoder {asked} does not encode {width}x{height} here; "
            f"ENDOMASK_VIDEO_ENCODER takes {', '.join(get_args(EncoderChoice))}"
        )
    return asked


def encodes(name: EncoderName, width: int, height: int) -> bool:
    """Whether an encoder gives a packet for a picture: a build may name encoders for which there is no device, driver
    or licence, and devices have largest and smallest pictures.

    Only a packet is remembered: a GPU that has no session left now has one later.
    """
    asked = name, width, height
    if asked not in _PROVED and _try_picture(*asked):
        _PROVED.add(asked)
    return asked in _PROVED


def _try_picture(name: EncoderName, width: int, height: int) -> bool:
    second = Fraction(1, 25)
    video = VideoFormat(width, height, second, 1 / second, Fraction(1), Colour(), name)
    try:
        picture = VideoFrame(width, height, "yuv420p")
        picture.pts = 0
        context = VideoCodecContext.create(name, "w")
        set_up(context, video, threads=1)
        return bool([*context.encode(picture), *context.encode(None)])
    except (av.error.FFmpegError, ValueError):
        return False
