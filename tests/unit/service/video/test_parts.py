"""Stages in threads, and uploads in pieces."""

import hashlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.errors import NoSpace
from service.video.stages import StageClock, in_thread
from service.video.upload import UploadFile


def test_items_come_in_order_and_an_error_comes_after_them() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("the file ends here")

    found = []
    with in_thread(items(), "read", depth=2) as taken, pytest.raises(ValueError, match="ends here"):
        found.extend(taken)
    assert found == [0, 1, 2, 3, 4]


def test_a_stage_runs_no_further_ahead_than_its_queue() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1, 100):
            made.append(number)
            yield number

    with in_thread(items(), "read", depth=3) as taken:
        assert next(taken) == 1
        assert next(taken) == 2
    assert len(made) <= 2 + 3 + 1 + 1


def test_leaving_early_ends_all_threads_of_a_chain() -> None:
    before = threading.active_count()

    def endless() -> Iterator[int]:
        number = 0
        while True:
            number += 1
            yield number

    with (
        in_thread(endless(), "first", 2) as first,
        in_thread((number * 2 for number in first), "second", 2) as second,
    ):
        assert next(second) == 2
    assert threading.active_count() == before


def test_a_stage_is_charged_for_its_own_items_and_not_for_who_takes_them() -> None:
    def items() -> Iterator[int]:
        for number in range(3):
            sum(range(200_000))
            yield number

    clock = StageClock()
    taken = 0
    for number in clock.over("read", items()):
        with clock.at("write"):
            taken += number + sum(range(2_000_000))
    assert set(clock.cpu_seconds) == set(clock.seconds) == {"read", "write"}
    assert 0 < clock.cpu_seconds["read"] < clock.cpu_seconds["write"]


def test_what_a_failing_stage_took_is_counted() -> None:
    clock = StageClock()
    with pytest.raises(ValueError, match="broken"), clock.at("read"):
        raise ValueError("broken")
    assert clock.seconds["read"] > 0


async def pieces(body: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    position = 0
    for size in sizes:
        yield body[position : position + size]
        position += size
    yield body[position:]


async def test_an_upload_is_stored_and_checksummed_as_it_came(tmp_path: Path) -> None:
    body = os.urandom(3_000_000)
    checksum = hashlib.sha256()
    file = UploadFile(tmp_path / "upload", lambda: None, [checksum])
    await file.receive(pieces(body, [1, 70_000, 1_500_000]))
    assert (tmp_path / "upload").read_bytes() == body
    assert (file.bytes, checksum.hexdigest()) == (len(body), hashlib.sha256(body).hexdigest())


async def test_an_upload_stops_when_the_disk_runs_full(tmp_path: Path) -> None:
    def full() -> None:
        raise NoSpace("full")

    file = UploadFile(tmp_path / "upload", full, [])
    with pytest.raises(NoSpace):
        await file.receive(pieces(bytes(70_000_000), [2_000_000] * 35))
