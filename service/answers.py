"""From a frame's result to what the caller asked for: JSON with a mask inside, a mask PNG, or an overlay JPEG."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from service.imaging import codecs, masks, overlay
from service.pipeline import FrameResult
from service.schemas import (
    ClassWire,
    FrameAnswer,
    FrameSize,
    InstanceWire,
    Mask,
    ModelRef,
    PngMask,
    PolygonMask,
    RleMask,
    Timing,
)

Output = Literal["json", "mask", "overlay"]
MaskFormat = Literal["rle", "png", "polygons", "none"]
MEDIA_TYPES: dict[Output, str] = {"json": "application/json", "mask": "image/png", "overlay": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of an answer, and the seconds of each stage that made it."""

    body: bytes
    seconds: dict[str, float]


def make_encoder(output: Output, mask: MaskFormat, opacity: float) -> Callable[[FrameResult], Encoded]:
    """What runs in a worker thread at the end of a frame's way."""

    def encode(result: FrameResult) -> Encoded:
        if output == "json":
            body = describe_frame(result, mask).model_dump_json(exclude={"mask"} if mask == "none" else None).encode()
        else:
            with result.times.measure("encode"):
                body = encode_mask(result) if output == "mask" else encode_overlay(result, opacity)
        return Encoded(body, result.times.seconds)

    return encode


def encode_mask(result: FrameResult) -> bytes:
    """Indexed PNG: pixel value = class id, the classes' colours as palette."""
    return masks.encode_png(result.labels, result.manifest.palette)


def encode_overlay(result: FrameResult, opacity: float) -> bytes:
    """JPEG of the frame under its mask; the result must have kept its pixels."""
    if result.rgb is None:
        raise ValueError("an overlay needs the frame's pixels")
    return codecs.encode_jpeg(overlay.draw(result.rgb, result.labels, result.manifest.palette, opacity))


def describe_frame(result: FrameResult, mask_format: MaskFormat) -> FrameAnswer:
    """The JSON answer. `timing_ms.encode` is the mask's."""
    with result.times.measure("encode"):
        mask = _mask(result, mask_format)
    stats, manifest = result.stats, result.manifest
    return FrameAnswer(
        model=ModelRef(name=manifest.name, version=manifest.version),
        frame=FrameSize(width=result.width, height=result.height),
        coverage=round(stats.coverage, 6),
        confidence=round(stats.confidence, 4),
        classes=[
            ClassWire(
                id=entry.id,
                name=manifest.classes[entry.id].name,
                pixels=entry.pixels,
                coverage=round(entry.coverage, 6),
                confidence=None if entry.confidence is None else round(entry.confidence, 4),
                instances=[
                    InstanceWire(bbox=part.bbox, pixels=part.pixels, centroid=part.centroid) for part in entry.instances
                ],
            )
            for entry in stats.classes
        ],
        mask=mask,
        timing_ms=Timing(**{stage: round(seconds * 1000, 3) for stage, seconds in result.times.seconds.items()}),
    )


def _mask(result: FrameResult, mask_format: MaskFormat) -> Mask | None:
    labels = result.labels
    size = (labels.shape[0], labels.shape[1])
    ids = [entry.id for entry in result.stats.classes]
    match mask_format:
        case "rle":
            return RleMask(counts={str(key): text for key, text in masks.encode_rle(labels, ids).items()}, size=size)
        case "png":
            return PngMask(data=base64.b64encode(encode_mask(result)).decode(), size=size)
        case "polygons":
            return PolygonMask(polygons={str(key): masks.find_polygons(labels, key) for key in ids}, size=size)
        case "none":
            return None
