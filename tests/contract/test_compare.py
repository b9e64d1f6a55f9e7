"""`GET /v1/videos/compare` on results that a pipeline without a queue has made."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy import stats
from starlette.testclient import TestClient

from service.manifest.package import Package
from service.settings import Settings
from service.video.jobs.database import open_database
from service.video.jobs.records import JobTable
from service.video.options import VideoOptions
from service.video.pipeline import process_file
from tests.support import videos
from tests.support.red import fake_model, write_red_package
from tests.support.running import MP4, red_settings, refused, running

ROUTE = "/v1/videos/compare"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = red_settings(tmp_path_factory.mktemp("compare"))
    write_red_package(made.models_dir, "three", classes=3)
    return made


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with running(settings) as started:
        yield started


def finish(client: TestClient, settings: Settings, clip: Path, model: str = "red", outputs: str = "frames") -> str:
    """Id of a job that has succeeded as a worker would have it."""
    query = {"model": model, "outputs": outputs}
    video_id = str(client.post("/v1/videos", params=query, content=clip.read_bytes(), headers=MP4).json()["id"])
    package = Package.read(settings.models_dir / model / "1")
    loaded = fake_model(package)
    options = VideoOptions(outputs=("frames",) if outputs == "frames" else ("report",))
    process_file(clip, client.app.state.jobs.store.place(video_id).results, loaded, options, lambda *_: None)  # type: ignore[attr-defined]
    engine = open_database(settings)
    JobTable(engine).begin(video_id)
    assert JobTable(engine).end(video_id, "succeeded")
    engine.dispose()
    return video_id


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tool over a ninth of the frame, and one over as much of another frame, which is cut narrower."""
    folder = tmp_path_factory.mktemp("clips")
    first = videos.write_video(folder / "first.mp4", frames=30)
    return first, videos.write_video(folder / "second.mp4", frames=20, height=64, width=200)


@pytest.fixture(scope="module")
def ids(client: TestClient, settings: Settings, clips: tuple[Path, Path]) -> tuple[str, str]:
    first, second = (finish(client, settings, clip) for clip in clips)
    return first, second


def test_two_videos_are_told_apart_in_numbers(client: TestClient, ids: tuple[str, str]) -> None:
    answer = client.get(ROUTE, params={"ids": ",".join(ids)})
    found = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (found["reference"], [video["id"] for video in found["videos"]]) == (ids[0], list(ids))
    columns = [pq.read_table(io.BytesIO(_file(client, video_id, "frames.parquet"))) for video_id in ids]
    for video, table in zip(found["videos"], columns, strict=True):
        coverage = table["coverage"].to_numpy()
        assert video["frames"] == len(coverage)
        assert video["frames_without_detection"] == int((coverage == 0).sum())
        assert video["mean_coverage"] == pytest.approx(float(coverage.mean()), abs=1e-6)
        assert video["classes"]["tool"]["detection_rate"] == video["detection_rate"] == 1
    (shift,) = found["shifts"]
    assert shift["id"] == ids[1]
    assert list(shift["features"]) == ["coverage", "confidence", "tool_coverage"]
    for feature, distance in shift["features"].items():
        a, b = (table[feature].to_numpy() for table in columns)
        assert distance["wasserstein"] == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-6)
        assert distance["kolmogorov_smirnov"] == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-6)
    assert np.isfinite(shift["features"]["coverage"]["psi"])


@pytest.mark.parametrize(
    ("query", "accept"), [("", "image/svg+xml"), ("&format=svg", "*/*"), ("", "image/png;q=0.9, text/html")]
)
def test_the_figure_comes_by_accept_or_by_format(
    client: TestClient, ids: tuple[str, str], query: str, accept: str
) -> None:
    answer = client.get(f"{ROUTE}?ids={ids[0]},{ids[1]}{query}", headers={"Accept": accept})
    assert answer.status_code == 200
    if "svg" in answer.headers["content-type"]:
        texts = "".join(ET.fromstring(answer.text).itertext())
        assert "tool coverage: PSI" in texts
        assert "(30 frames)" in texts
    else:
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert (picture.format, picture.width) == ("PNG", 1200)


def test_what_can_not_be_compared_is_refused_with_the_reason(
    client: TestClient, settings: Settings, clips: tuple[Path, Path], ids: tuple[str, str]
) -> None:
    queued = client.post("/v1/videos", content=clips[0].read_bytes(), headers=MP4).json()["id"]
    other = finish(client, settings, clips[0], "three")
    without = finish(client, settings, clips[0], outputs="report")
    first = ids[0]
    assert "2 to 8" in _refused(client, first, 422, "invalid_parameter")
    assert "1 different" in _refused(client, f"{first}, {first},", 422, "invalid_parameter")
    _refused(client, f"{first},nothing", 404, "unknown_video")
    assert "queued" in _refused(client, f"{first},{queued}", 409, "conflict")
    assert "frames.parquet" in _refused(client, f"{first},{without}", 404, "not_found")
    assert "unseen2_coverage" in _refused(client, f"{first},{other}", 422, "invalid_parameter")
    refused(client.get(ROUTE, params={"ids": ",".join(ids), "format": "gif"}), 422, "invalid_parameter")
    refused(client.get(ROUTE, params={"ids": ",".join(ids)}, headers={"Accept": "video/mp4"}), 406, "not_acceptable")
    refused(client.get(ROUTE), 422, "invalid_parameter")


def _refused(client: TestClient, ids: str, status: int, code: str) -> str:
    return refused(client.get(ROUTE, params={"ids": ids}), status, code)


def _file(client: TestClient, video_id: str, name: str) -> Any:
    return client.get(f"/v1/videos/{video_id}/{name}").raise_for_status().content
