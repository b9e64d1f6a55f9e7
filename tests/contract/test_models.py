"""What `GET /v1/models` says of lanes: planned in the choice, and those that are there."""

from pathlib import Path
from typing import Any

from service.backends import Backend
from service.backends.choice import Choice
from service.backends.trial import Measured
from service.errors import PackageError
from service.manifest.package import Package
from service.settings import Settings
from tests.support.red import FakeBackend
from tests.support.running import red_settings, running
from tests.support.waiting import until

_LINE: dict[str, Any] = {"backend": "fake", "provider": "cpu", "precision": "fp32", "changed_share": 0.0}
_ALONE = Measured(**_LINE, threads=2, chosen=True, milliseconds=8.0, frames_per_second=125.0)
_IN_LANES = Measured(**_LINE, threads=1, lanes=2, chosen_under_load=True, frames_per_second=200.0)


def in_two_lanes(_package: Package, _settings: Settings) -> Choice:
    alone = FakeBackend()
    alone.threads = 2

    def open_under_load() -> Backend:
        lanes = FakeBackend()
        lanes.lanes = 2
        return lanes

    return Choice(alone, (_ALONE, _IN_LANES), open_under_load=open_under_load)


async def test_a_model_tells_what_a_lone_frame_has_and_what_several_have(tmp_path: Path) -> None:
    with running(red_settings(tmp_path), in_two_lanes) as client:

        def told() -> Any:
            return client.get("/v1/models/red").json()

        await until(lambda: told()["lanes"] == 2)
        model = told()
    assert (model["threads"], model["lane_threads"]) == (2, 1)
    shown = [
        (line["lanes"], line["threads"], line["chosen"], line["chosen_under_load"]) for line in model["candidates"]
    ]
    assert shown == [(1, 2, True, False), (2, 1, False, True)]
    assert [line["frames_per_second"] for line in model["candidates"]] == [125.0, 200.0]
    assert [line["milliseconds"] for line in model["candidates"]] == [8.0, None]


def test_lanes_that_do_not_open_are_not_said_to_run_anything(tmp_path: Path) -> None:
    def refuse() -> FakeBackend:
        raise PackageError("no memory for streams")

    def without_memory(*_: object) -> Choice:
        return Choice(FakeBackend(), (_ALONE, _IN_LANES), open_under_load=refuse)

    with running(red_settings(tmp_path), without_memory) as client:
        model = client.get("/v1/models/red").json()
    assert model["lanes"] == 1
    assert [line["chosen_under_load"] for line in model["candidates"]] == [False, False]


def test_a_model_without_lanes_runs_one_frame_at_a_time(tmp_path: Path) -> None:
    with running(red_settings(tmp_path)) as client:
        (model,) = client.get("/v1/models").json()["models"]
    assert (model["lanes"], model["lane_threads"], model["threads"]) == (1, 1, 1)


def test_candidates_are_described_with_their_lanes() -> None:
    agrees = "0.000% of golden pixels change class"
    assert _ALONE.describe() == f"fake cpu fp32 with 2 threads: 8.0 ms, 125.0 frames/s, {agrees}"
    assert _IN_LANES.describe() == f"fake cpu fp32 with 1 thread in each of 2 lanes: 200.0 frames/s, {agrees}"
