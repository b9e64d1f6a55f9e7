"""Requests and answers of the peers, without a peer."""

import json
import struct

import cv2
import numpy as np
import pytest

from benchmarks.peers.catalogue import PEERS, Peer
from benchmarks.peers.wire import UnreadableAnswer, read_png, read_raw_mask, read_v2_binary_mask, v2_binary_request
from service.imaging.masks import encode_png

JPEG = b"\xff\xd8\xff stands for a JPEG"
LABELS = np.eye(5, 7, dtype=np.uint8)
PNG = bytes(cv2.imencode(".png", LABELS)[1])
COLOUR_PNG = bytes(cv2.imencode(".png", np.zeros((2, 2, 3), np.uint8))[1])


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_the_jpeg_travels_as_it_is_to_every_peer(peer: Peer) -> None:
    request = peer.request(JPEG)
    assert request.method == "POST"
    assert request.body.endswith(JPEG)
    assert request.body.count(JPEG) == 1


def test_triton_gets_a_json_header_then_the_length_and_the_jpeg() -> None:
    request = v2_binary_request("/v2/models/segment/infer", JPEG)
    size = int(request.headers["Inference-Header-Content-Length"])
    header, tensor = json.loads(request.body[:size]), request.body[size:]
    assert header["inputs"][0]["parameters"] == {"binary_data_size": len(tensor)}
    assert header["inputs"][0]["shape"] == [1, 1]
    assert header["outputs"] == [{"name": "png", "parameters": {"binary_data": True}}]
    assert tensor == struct.pack("<I", len(JPEG)) + JPEG


def test_a_png_is_read_as_class_ids() -> None:
    assert np.array_equal(read_raw_mask(PNG, {}), LABELS)


@pytest.mark.parametrize("name", ["Inference-Header-Content-Length", "inference-header-content-length"])
def test_tritons_answer_is_read_behind_its_json(name: str) -> None:
    header = b'{"model_name": "segment"}'
    body = header + struct.pack("<I", len(PNG)) + PNG
    assert np.array_equal(read_v2_binary_mask(body, {name: str(len(header))}), LABELS)


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b'{"error": "no such model"}', {}, "no such model"),
        (b"{}" + struct.pack("<I", 5) + PNG, {"Inference-Header-Content-Length": "2"}, "says that its element has"),
        (b"{}", {"Inference-Header-Content-Length": "2"}, "no PNG"),
    ],
)
def test_an_answer_of_triton_without_a_mask_is_told(body: bytes, headers: dict[str, str], said: str) -> None:
    with pytest.raises(UnreadableAnswer, match=said):
        read_v2_binary_mask(body, headers)


def test_an_indexed_png_is_read_as_its_indices_whatever_the_palette() -> None:
    assert np.array_equal(read_png(encode_png(LABELS, [(9, 9, 9), (0, 255, 7)])), LABELS)


@pytest.mark.parametrize(("body", "said"), [(b"", "no PNG"), (b"{}", "no PNG"), (COLOUR_PNG, "mode RGB")])
def test_a_body_that_is_no_mask_is_told(body: bytes, said: str) -> None:
    with pytest.raises(UnreadableAnswer, match=said):
        read_raw_mask(body, {})
