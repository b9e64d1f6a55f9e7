"""Which decoder gives a video's frames: a GPU's where one really decodes, confined as it will be, else FFmpeg's own."""

import logging
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from service.errors import DecoderUnavailable, EndomaskError
from service.video.decoding.hardware import EXACT_CODECS, device_nodes
from service.video.decoding.index import Segment
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.planes import Planes
from service.video.decoding.process import DECODER_COMMAND
from service.video.decoding.sample_clip import FRAMES, HEIGHT, WIDTH, make_clip
from service.video.options import DecoderChoice, DecoderName
from service.video.segments.reader import FrameReader, index_video

log = logging.getLogger(__name__)

_FOUND: dict[tuple[str, ...], tuple[str | None, float]] = {}
"""Commands of decoders in hardware -> what is wrong with them, None where their pictures were seen to be right in this
process, and the second of the clock until which that holds."""
_PASSED_OVER_SECONDS = 300.0
"""A GPU whose memory is full has room later."""


def choose_decoder(
    limits: DecoderLimits,
    codec: str,
    command: Sequence[str] = DECODER_COMMAND,
    find_devices: Callable[[], list[str]] = device_nodes,
    clock: Callable[[], float] = time.monotonic,
) -> DecoderName:
    """`limits.decoder` auto takes the GPU's where that gives the right pictures here, else software, and says why.

    One asked for by name is not replaced: raises DecoderUnavailable. A codec whose pictures may differ from decoder to
    decoder is software's in any case.
    """
    if limits.decoder == "software" or codec not in EXACT_CODECS:
        return "software"
    lacking = _what_is_wrong(limits, tuple(command), clock()) if find_devices() else "there is no NVIDIA device"
    if lacking is None:
        return "cuda"
    if limits.decoder == "cuda":
        raise DecoderUnavailable(
            f"the video decoder cuda does not work here: {lacking}; "
            f"ENDOMASK_VIDEO_DECODER takes {', '.join(get_args(DecoderChoice))}"
        )
    log.info("videos are decoded in software: %s", lacking)
    return "software"


def pass_over_hardware(command: Sequence[str], lacking: str) -> None:
    """Have `auto` take software for some minutes; what was proved before is forgotten."""
    _FOUND[tuple(command)] = lacking, time.monotonic() + _PASSED_OVER_SECONDS


def _what_is_wrong(limits: DecoderLimits, command: tuple[str, ...], now: float) -> str | None:
    """Why a decoder in hardware can't be used, as far as that is known. One asked for by name is tried at once."""
    lacking, until = _FOUND.get(command, (None, -math.inf))
    if now > until or (lacking is not None and limits.decoder == "cuda"):
        lacking = _try(limits, command)
        if lacking is None:
            _FOUND[command] = None, math.inf
        else:
            pass_over_hardware(command, lacking)
    return lacking


def _try(limits: DecoderLimits, command: Sequence[str]) -> str | None:
    """What is wrong with a decoder in hardware, by a clip that it decodes."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(make_clip().getbuffer())
        file.flush()
        try:
            right = _gives_right_pictures(Path(file.name), limits, command)
        except EndomaskError as error:
            return str(error)
    return None if right else "its pictures are not those of the software decoder"


def _gives_right_pictures(clip: Path, limits: DecoderLimits, command: Sequence[str]) -> bool:
    """Whether hardware decodes every frame of `clip`, and as software does."""
    index, size, whole = index_video(clip, limits), (HEIGHT, WIDTH), Segment(0, 0, FRAMES)
    with FrameReader(clip, index, size, limits, 1) as reader:
        expected = [(number, _values(planes), True) for number, planes in reader.read(whole)]
    with FrameReader(clip, index, size, limits, 1, command, "cuda") as reader:
        return expected == [(number, _values(planes), reader.in_hardware) for number, planes in reader.read(whole)]


def _values(planes: Planes) -> object:
    return [plane.tobytes() for plane in (planes.y, planes.u, planes.v)], planes.colour
