"""A real clip through the HTTP API with the shipped instrument model, against the masks that came with it."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from service.imaging.geometry import U8
from tests.support.server import ROOT, start_server
from tests.support.video_api import VideoApi, dice, ffprobe

CLIPS = ROOT.parent / "shared" / "data" / "endovis2015-robotic"
CLIP = CLIPS / "videos" / "Dataset3" / "Video.avi"
TRUTH = CLIPS / "mask_videos" / "Dataset3" / "Segmentation.avi"
MODELS = ROOT / "models"
FRAMES = 375
DICE_FLOOR = 0.87

pytestmark = [
    pytest.mark.data,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CLIP.is_file(), reason="the real data sets are not beside the project"),
    pytest.mark.skipif(not any(MODELS.glob("instruments/*/manifest.json")), reason="models/instruments is not there"),
]


def true_masks(path: Path) -> Iterator[U8]:
    """1 where an instrument is: H.264 blurs the values 0, 70 and 160, so the nearest counts."""
    levels = np.array([0, 70, 160])
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            grey = frame.to_ndarray(format="gray").astype(int)
            yield (np.abs(grey[..., None] - levels).argmin(axis=-1) > 0).astype(np.uint8)


def test_a_real_clip_is_segmented_as_its_annotators_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"ENDOMASK_MODELS_DIR": str(MODELS), "ENDOMASK_DEFAULT_MODEL": "instruments", "ENDOMASK_WORKERS": "1"}
    with start_server(tmp_path, **given) as running, VideoApi(running.url) as api:
        job = api.wait(api.upload(CLIP))
        assert job["status"] == "succeeded", job["error"]
        masks = api.masks(job)
        (tmp_path / "annotated.mp4").write_bytes(api.file(job, "annotated.mp4"))
    made = ffprobe(tmp_path / "annotated.mp4")
    assert made["times"] == pytest.approx([index / 25 for index in range(FRAMES)], abs=1e-3)
    assert float(made["duration"]) == pytest.approx(15.0, abs=1e-3)
    assert (made["width"], made["height"]) == (720, 576)
    assert list(masks) == list(range(FRAMES))
    scores = [dice(masks[index], truth) for index, truth in enumerate(true_masks(TRUTH))]
    assert len(scores) == FRAMES
    with capsys.disabled():
        print(  # noqa: T201  (the score belongs to the output of the run)
            f"\nDataset3 through the HTTP API: Dice {np.mean(scores):.4f} (mean of {FRAMES} frames, lowest "
            f"{min(scores):.4f}), {job['progress']['fps']} frames/s"
        )
    assert np.mean(scores) > DICE_FLOOR
