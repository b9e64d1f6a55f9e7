"""Limits of jobs hold over all servers: those of one caller, and of all, whoever asks whom at the same moment."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from tests.support import videos
from tests.support.cluster import Cluster
from tests.support.postgres import needs_postgres, running_postgres
from tests.support.waiting import DEADLINE_SECONDS

MOST, MOST_OF_A_CALLER = 7, 3
SENDERS = 16
CALLERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")

pytestmark = [pytest.mark.timeout(600), needs_postgres]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two, with no worker, so that every job stays."""
    limits = {
        "ENDOMASK_MAX_ACTIVE_VIDEOS": str(MOST),
        "ENDOMASK_MAX_ACTIVE_VIDEOS_PER_CALLER": str(MOST_OF_A_CALLER),
        "ENDOMASK_MAX_UPLOADS_PER_CALLER": str(SENDERS),
    }
    with (
        running_postgres() as postgres,
        Cluster(tmp_path_factory.mktemp("limits"), postgres.url, **limits) as cluster,
    ):
        yield cluster.start_server("one"), cluster.start_server("other")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4").read_bytes()


@pytest.fixture(autouse=True)
def no_job_before(servers: tuple[str, str]) -> None:
    with httpx.Client(base_url=servers[0], timeout=DEADLINE_SECONDS) as client:
        for job in client.get("/v1/videos").json()["videos"]:
            client.delete(f"/v1/videos/{job['id']}").raise_for_status()


def send_all(servers: tuple[str, str], clip: bytes, callers: tuple[str, ...], **headers: str) -> list[httpx.Response]:
    """Everybody's upload, at the same moment, to both servers in turn."""
    together = Barrier(SENDERS, timeout=DEADLINE_SECONDS)

    def send(number: int) -> httpx.Response:
        sender = httpx.HTTPTransport(local_address=callers[number % len(callers)])
        with httpx.Client(transport=sender, timeout=DEADLINE_SECONDS) as client:
            together.wait()
            url = f"{servers[number // len(callers) % 2]}/v1/videos"
            return client.post(url, content=clip, headers={"Content-Type": "video/mp4", **headers})

    with ThreadPoolExecutor(SENDERS) as pool:
        return list(pool.map(send, range(SENDERS)))


def codes(answers: list[httpx.Response]) -> Counter[str]:
    return Counter("queued" if answer.status_code == 202 else answer.json()["code"] for answer in answers)


@pytest.mark.parametrize("round_number", range(3))
def test_a_callers_share_holds_over_two_servers(servers: tuple[str, str], clip: bytes, round_number: int) -> None:
    found = codes(send_all(servers, clip, CALLERS[:1]))
    assert found == {"queued": MOST_OF_A_CALLER, "caller_limit": SENDERS - MOST_OF_A_CALLER}
    assert httpx.get(f"{servers[1]}/v1/videos", timeout=DEADLINE_SECONDS).json()["total"] == MOST_OF_A_CALLER


@pytest.mark.parametrize("round_number", range(3))
def test_the_limit_of_all_holds_over_two_servers(servers: tuple[str, str], clip: bytes, round_number: int) -> None:
    answers = send_all(servers, clip, CALLERS)
    found = codes(answers)
    assert found["queued"] == MOST
    assert set(found) <= {"queued", "overloaded", "caller_limit"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code != 202)


def test_one_key_at_both_servers_at_the_same_moment_gives_one_job(servers: tuple[str, str], clip: bytes) -> None:
    answers = send_all(servers, clip, CALLERS, **{"Idempotency-Key": "the same"})
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
