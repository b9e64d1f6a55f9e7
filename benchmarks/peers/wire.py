"""What goes over the wire to each peer and what comes back: the same JPEG, the same mask."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks.peers.segmenting import U8, V2_TENSOR_IN, V2_TENSOR_OUT

_BINARY_LENGTH = "inference-header-content-length"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, ready to be sent as often as the benchmark likes."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class UnreadableAnswer(Exception):
    """A peer's answer holds no mask; the message says what was seen."""


def raw_request(path: str, jpeg: bytes) -> HttpRequest:
    """The JPEG as the body, as it is."""
    return HttpRequest("POST", path, {"Content-Type": "image/jpeg", "Accept": "image/png"}, jpeg)


def read_raw_mask(body: bytes, _headers: Mapping[str, str]) -> U8:
    """PNG as the body -> class ids uint8 [H, W]. Raises UnreadableAnswer."""
    return read_png(body)


def v2_binary_request(path: str, jpeg: bytes) -> HttpRequest:
    """Open Inference Protocol with the binary tensor extension: JSON header, then length (uint32 LE) and JPEG."""
    element = len(jpeg).to_bytes(4, "little") + jpeg
    tensor = {
        "name": V2_TENSOR_IN,
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(element)},
    }
    wanted = {"name": V2_TENSOR_OUT, "parameters": {"binary_data": True}}
    header = json.dumps({"inputs": [tensor], "outputs": [wanted]}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    return HttpRequest("POST", path, headers, header + element)


def read_v2_binary_mask(body: bytes, headers: Mapping[str, str]) -> U8:
    """Answer of the binary tensor extension with one BYTES element holding a PNG. Raises UnreadableAnswer."""
    lengths = [value for name, value in headers.items() if name.lower() == _BINARY_LENGTH]
    if len(lengths) != 1 or not lengths[0].isdigit():
        raise UnreadableAnswer(f"no {_BINARY_LENGTH} header; the body starts with {body[:200]!r}")
    tensor = body[int(lengths[0]) :]
    png = tensor[4:]
    if int.from_bytes(tensor[:4], "little") != len(png):
        raise UnreadableAnswer(f"a BYTES tensor of {len(tensor)} bytes says that its element has {tensor[:4]!r}")
    return read_png(png)


def read_png(png: bytes) -> U8:
    """Indexed or grey PNG -> its pixel values uint8 [H, W]. Raises UnreadableAnswer."""
    try:
        picture = Image.open(io.BytesIO(png), formats=["PNG"])
        labels = np.asarray(picture, np.uint8)
    except (OSError, SyntaxError) as error:
        raise UnreadableAnswer(f"no PNG: {png[:200]!r}") from error
    if labels.ndim != 2:
        raise UnreadableAnswer(f"a PNG of mode {picture.mode} holds no class ids")
    return labels
