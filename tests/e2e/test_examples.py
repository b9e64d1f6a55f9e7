"""Who has no data sees the service work: the shipped instrument model finds what was drawn into the examples."""

import httpx
import numpy as np
import pytest

from tests.support.server import ROOT, RunningServer
from tests.support.video_api import VideoApi, dice, read_indexed
from tests.support.waiting import DEADLINE_SECONDS
from training.datasets.synthetic import render_clip, render_frame
from training.datasets.synthetic.clips import EXAMPLE_CLIP_SEED, EXAMPLE_FRAME_SEED

DICE_FLOOR = 0.9
CLIP_FRAMES = 150


def test_the_instruments_of_the_example_frame_are_found(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (ROOT / "examples/frame.jpg").read_bytes()
    url, headers = f"{server.url}/v1/segment?output=mask", {"Content-Type": "image/jpeg"}
    answer = httpx.post(url, content=body, headers=headers, timeout=DEADLINE_SECONDS)
    truth = render_frame(EXAMPLE_FRAME_SEED, 480, 854, instruments=2).mask
    score = dice(read_indexed(answer.content), truth)
    with capsys.disabled():
        print(f"\nexamples/frame.jpg: Dice {score:.4f}")  # noqa: T201  (the score belongs to the output of the run)
    assert score > DICE_FLOOR


@pytest.mark.timeout(600)
def test_the_instruments_of_the_example_clip_are_found_and_nothing_where_there_are_none(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with VideoApi(server.url) as api:
        job = api.wait(api.upload(ROOT / "examples/clip.mp4"))
        assert job["status"] == "succeeded", job["error"]
        masks = api.masks(job)
    truth = [frame.mask for frame in render_clip(EXAMPLE_CLIP_SEED, CLIP_FRAMES, 480, 640, instruments=2)]
    shown = [index for index, mask in enumerate(truth) if (mask > 0).mean() > 0.01]
    empty = [index for index, mask in enumerate(truth) if not mask.any()]
    scores = [dice(masks[index], truth[index]) for index in shown]
    with capsys.disabled():
        print(f"\nexamples/clip.mp4: Dice {np.mean(scores):.4f} (mean of {len(shown)} frames)")  # noqa: T201
    assert len(shown) > 50
    assert np.mean(scores) > DICE_FLOOR
    assert len(empty) > 5
    assert max(float((masks[index] > 0).mean()) for index in empty) < 0.005
