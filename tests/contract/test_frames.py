"""`POST /v1/segment` as a caller sees it: real app, fake backend, frames whose mask is known."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from starlette.testclient import TestClient

from service.schemas import FrameAnswer, FrameAnswers, Problem
from tests.support.red import red_frame, write_red_package
from tests.support.running import PNG, RED_PNG, encode, red_settings, running
from tests.support.video_api import dice, read_indexed

TRUTH = np.zeros((120, 160), np.uint8)
TRUTH[30:70, 40:90] = 1
"""Where `red_frame()` is red."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = red_settings(tmp_path_factory.mktemp("frames"), max_frame_megabytes=1, max_frames_per_request=3)
    write_red_package(settings.models_dir, name="many", classes=3, size=(120, 160))
    write_red_package(settings.models_dir, name="many", version=2, classes=3, size=(120, 160))
    with running(settings) as started:
        yield started


def segment(client: TestClient, body: bytes = RED_PNG, accept: str | None = None, **query: Any) -> Any:
    headers = {**PNG, **({"Accept": accept} if accept else {})}
    return client.post("/v1/segment", params=query, content=body, headers=headers)


def test_a_red_box_is_found_where_it_is(client: TestClient) -> None:
    answer = segment(client)
    assert answer.status_code == 200, answer.text
    frame = FrameAnswer.model_validate_json(answer.content)
    assert (frame.frame.width, frame.frame.height) == (160, 120)
    assert frame.coverage == pytest.approx(TRUTH.mean(), abs=0.01)
    (tool,) = frame.classes
    assert (tool.id, tool.name) == (1, "tool")
    assert tool.instances[0].bbox == pytest.approx((40, 30, 50, 40), abs=2)
    assert tool.instances[0].centroid == pytest.approx((64.5, 49.5), abs=1)


def test_every_answer_says_which_model_took_how_long(client: TestClient) -> None:
    answer = segment(client)
    assert answer.headers["X-Model"] == "red/1"
    assert answer.headers["Vary"] == "Accept"
    stages = dict(entry.strip().split(";dur=") for entry in answer.headers["Server-Timing"].split(","))
    assert list(stages) == ["decode", "prepare", "queue", "infer", "restore", "encode"]
    timing = answer.json()["timing_ms"]
    for stage, milliseconds in stages.items():
        assert float(milliseconds) == pytest.approx(timing[stage], abs=0.01)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools, under NumPy 2
def test_rle_polygons_and_png_say_the_same(client: TestClient) -> None:
    answers = {form: segment(client, mask=form).json()["mask"] for form in ("rle", "png", "polygons")}
    counts = answers["rle"]["counts"]["1"].encode()
    from_rle = coco.decode({"counts": counts, "size": answers["rle"]["size"]})
    from_png = read_indexed(base64.b64decode(answers["png"]["data"]))
    from_polygons = np.zeros((120, 160), np.uint8)
    for outline in answers["polygons"]["polygons"]["1"]:
        cv2.fillPoly(from_polygons, [np.array(outline, np.int32)], 1)
    assert dice(from_rle, TRUTH) > 0.97
    assert np.array_equal(from_rle, from_png)
    assert np.array_equal(from_rle, from_polygons)


def test_mask_none_leaves_the_mask_out(client: TestClient) -> None:
    assert "mask" not in segment(client, mask="none").json()


@pytest.mark.parametrize(
    ("accept", "output", "expected"),
    [
        (None, None, "application/json"),
        ("image/png", None, "image/png"),
        ("image/jpeg", None, "image/jpeg"),
        ("text/html, image/*;q=0.5", None, "image/png"),
        ("image/png", "json", "application/json"),
        ("application/json", "overlay", "image/jpeg"),
    ],
)
def test_the_output_parameter_decides_and_else_the_accept_header(
    client: TestClient, accept: str | None, output: str | None, expected: str
) -> None:
    answer = segment(client, accept=accept, **({"output": output} if output else {}))
    assert answer.headers["content-type"] == expected


def test_the_mask_png_is_indexed_by_class_with_the_classes_colours(client: TestClient) -> None:
    from io import BytesIO

    from PIL import Image

    body = segment(client, output="mask").content
    assert dice(read_indexed(body), TRUTH) > 0.97
    colour = client.get("/v1/models/red").json()["classes"][1]["colour"]
    palette = Image.open(BytesIO(body)).getpalette() or []
    assert "#" + bytes(palette[3:6]).hex() == colour


def test_the_overlay_is_the_frame_with_the_tool_tinted(client: TestClient) -> None:
    picture = cv2.imdecode(np.frombuffer(segment(client, output="overlay").content, np.uint8), cv2.IMREAD_COLOR)
    frame = cv2.cvtColor(red_frame(), cv2.COLOR_RGB2BGR)
    changed = np.abs(picture.astype(int) - frame).max(axis=-1)
    assert picture.shape == frame.shape
    assert changed[50, 65] > 40
    assert changed[100:, 120:].max() < 12


def test_size_model_answers_in_the_models_pixels(client: TestClient) -> None:
    answer = segment(client, size="model").json()
    assert answer["mask"]["size"] == [64, 96]
    assert (answer["frame"]["width"], answer["frame"]["height"]) == (160, 120)
    assert answer["coverage"] == pytest.approx(TRUTH.mean(), abs=0.01)
    for output in ("mask", "overlay"):
        picture = cv2.imdecode(np.frombuffer(segment(client, size="model", output=output).content, np.uint8), 1)
        assert picture.shape[:2] == (64, 96)


def test_a_threshold_moves_the_edge(client: TestClient) -> None:
    pixels = [segment(client, threshold=threshold).json()["classes"][0]["pixels"] for threshold in (0.05, 0.5, 0.95)]
    assert pixels[0] > pixels[1] > pixels[2] > 0


def test_a_frame_without_a_tool_has_no_confidence_for_it(client: TestClient) -> None:
    answer = segment(client, encode(red_frame(box=(0, 0, 0, 0)))).json()
    assert answer["coverage"] == 0
    assert answer["classes"][0]["confidence"] is None
    assert answer["classes"][0]["instances"] == []


def test_models_and_versions_are_chosen_by_the_query(client: TestClient) -> None:
    assert segment(client, model="many").headers["X-Model"] == "many/2"
    older = segment(client, model="many", version=1)
    assert older.headers["X-Model"] == "many/1"
    assert [entry["name"] for entry in older.json()["classes"]] == ["tool", "unseen2"]


def test_one_file_of_a_form_answers_like_the_raw_body(client: TestClient) -> None:
    answer = client.post("/v1/segment", files=[("file", ("a.png", RED_PNG, "image/png"))])
    assert FrameAnswer.model_validate_json(answer.content).coverage == segment(client).json()["coverage"]
    picture = client.post("/v1/segment?output=mask", files=[("file", ("a.png", RED_PNG, "image/png"))])
    assert picture.content == segment(client, output="mask").content


def test_several_files_keep_their_order_and_each_has_its_own_fate(client: TestClient) -> None:
    empty = encode(red_frame(box=(0, 0, 0, 0)))
    files = [("file", ("a", RED_PNG)), ("file", ("b", b"no picture")), ("file", ("c", empty))]
    answer = client.post("/v1/segment", files=files)
    assert answer.status_code == 200
    assert answer.headers["X-Model"] == "red/1"
    first, second, third = FrameAnswers.model_validate_json(answer.content).frames
    assert isinstance(first, FrameAnswer)
    assert first.coverage > 0
    assert isinstance(second, Problem)
    assert second.code == "unsupported_media_type"
    assert second.request_id == answer.headers["X-Request-ID"]
    assert isinstance(third, FrameAnswer)
    assert third.coverage == 0


def test_a_body_without_a_type_is_taken_for_what_it_is(client: TestClient) -> None:
    for headers in ({}, {"Content-Type": "application/octet-stream"}, {"Content-Type": "Image/PNG; x=y"}):
        assert client.post("/v1/segment", content=RED_PNG, headers=headers).status_code == 200


def test_a_request_id_that_is_sane_comes_back_and_another_is_made(client: TestClient) -> None:
    kept = client.post("/v1/segment", content=RED_PNG, headers={**PNG, "X-Request-ID": "case-7:frame.12"})
    assert kept.headers["X-Request-ID"] == "case-7:frame.12"
    for insane in ("", "a b", "x" * 200, 'x"} injected'):
        made = client.post("/v1/segment", content=RED_PNG, headers={**PNG, "X-Request-ID": insane})
        assert len(made.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    ("body", "headers", "query", "status", "code", "sentence"),
    [
        (b"", PNG, {}, 400, "empty_body", "the body is empty"),
        (RED_PNG[:200], PNG, {}, 422, "undecodable_frame", ""),
        (b"hello", PNG, {}, 415, "unsupported_media_type", "looks like text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", PNG, {}, 415, "unsupported_media_type", "SVG"),
        (RED_PNG, {"Content-Type": "text/plain"}, {}, 415, "unsupported_media_type", "'text/plain'"),
        (
            RED_PNG,
            {"Content-Type": "application/x-www-form-urlencoded"},
            {},
            415,
            "unsupported_media_type",
            "add -H 'Content-Type: image/jpeg'",
        ),
        (RED_PNG, {**PNG, "Content-Encoding": "gzip"}, {}, 415, "unsupported_media_type", "as it is"),
        (b"x" * 1_000_001, PNG, {}, 413, "too_large", "ENDOMASK_MAX_FRAME_MEGABYTES"),
        (RED_PNG, {**PNG, "Accept": "text/html"}, {}, 406, "not_acceptable", "image/png"),
        (RED_PNG, PNG, {"model": "nope"}, 404, "unknown_model", "there is many, red"),
        (RED_PNG, PNG, {"version": 9}, 404, "unknown_model", "has no version 9; there is 1"),
        (RED_PNG, PNG, {"threshold": "1.5"}, 422, "invalid_parameter", "threshold is '1.5'; input should be less than"),
        (RED_PNG, PNG, {"threshold": "nan"}, 422, "invalid_parameter", "threshold is 'nan'"),
        (RED_PNG, PNG, {"output": "video"}, 422, "invalid_parameter", "'json', 'mask' or 'overlay'"),
        (RED_PNG, PNG, {"mask": "gif"}, 422, "invalid_parameter", "mask is 'gif'"),
        (RED_PNG, PNG, {"size": "huge"}, 422, "invalid_parameter", "size is 'huge'"),
        (RED_PNG, PNG, {"version": "one"}, 422, "invalid_parameter", "version is 'one'"),
        (RED_PNG, PNG, {"treshold": "0.5"}, 422, "invalid_parameter", "there is no query parameter 'treshold'"),
        (b"x", {"Content-Type": "multipart/form-data"}, {}, 400, "malformed_request", "boundary"),
    ],
)
def test_a_bad_request_is_told_what_was_seen_and_the_next_one_works(
    client: TestClient,
    body: bytes,
    headers: dict[str, str],
    query: dict[str, Any],
    status: int,
    code: str,
    sentence: str,
) -> None:
    answer = client.post("/v1/segment", content=body, headers=headers, params=query)
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.code) == (status, code)
    assert sentence in problem.detail
    assert segment(client).status_code == 200


def test_several_files_can_only_be_answered_as_json(client: TestClient) -> None:
    files = [("file", ("a", RED_PNG)), ("file", ("b", RED_PNG))]
    asked = client.post("/v1/segment?output=mask", files=files)
    assert (asked.status_code, asked.json()["code"]) == (422, "invalid_parameter")
    assert "there are 2 files" in asked.json()["detail"]
    liked = client.post("/v1/segment", files=files, headers={"Accept": "image/png"})
    assert (liked.status_code, liked.json()["code"]) == (406, "not_acceptable")
    both = client.post("/v1/segment", files=files, headers={"Accept": "image/png, */*;q=0.1"})
    assert len(both.json()["frames"]) == 2


def test_too_many_files_and_other_fields_are_refused(client: TestClient) -> None:
    many = client.post("/v1/segment", files=[("file", ("a", RED_PNG))] * 4)
    assert (many.status_code, many.json()["code"]) == (413, "too_large")
    other = client.post("/v1/segment", files=[("file", ("a", RED_PNG))], data={"threshold": "0.5"})
    assert (other.status_code, other.json()["code"]) == (400, "malformed_request")
    assert "parameters go into the query" in other.json()["detail"]


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(["model", "version", "threshold", "output", "mask", "size", "x"]),
        st.one_of(
            st.sampled_from(
                ["red", "many", "1", "2", "0.5", "1e-9", "json", "mask", "overlay", "png", "none", "model"]
            ),
            st.text(max_size=12).filter(lambda text: all(not "\ud800" <= character <= "\udfff" for character in text)),
        ),
    ),
    body=st.one_of(st.just(RED_PNG), st.binary(max_size=200), st.integers(1, len(RED_PNG)).map(lambda n: RED_PNG[:n])),
)
def test_whatever_is_sent_the_answer_is_a_result_or_a_problem_of_the_callers(
    client: TestClient, query: dict[str, str], body: bytes
) -> None:
    answer = client.post("/v1/segment", params=query, content=body, headers=PNG)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        Problem.model_validate(json.loads(answer.content))
