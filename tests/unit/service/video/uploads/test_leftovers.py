"""The server removes what senders left behind, with no worker near."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from service.storage.disk import DataFolder
from service.video.uploads.leftovers import keep_swept
from service.video.uploads.resumable import ResumableUploads


async def test_cut_off_uploads_go_also_after_a_sweep_that_failed(tmp_path: Path) -> None:
    data = DataFolder(tmp_path, 0)
    cut_off, young = data.new_upload(), data.new_upload()
    for upload in (cut_off, young):
        upload.write_bytes(b"half")
    os.utime(cut_off, (0, 0))
    uploads, sweep = ResumableUploads(data, 1), data.sweep
    loop, swept = asyncio.get_running_loop(), asyncio.Event()
    failures = iter([OSError("the disk hiccups"), ValueError("a file says nonsense")])

    def sweep_or_fail() -> None:
        for failure in failures:
            raise failure
        sweep()
        loop.call_soon_threadsafe(swept.set)

    data.sweep = sweep_or_fail  # type: ignore[method-assign]
    task = asyncio.create_task(keep_swept(data, uploads, every_seconds=0.01))
    async with asyncio.timeout(60):
        await swept.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert (cut_off.exists(), young.exists()) == (False, True)


async def test_it_ends_when_the_server_does(tmp_path: Path) -> None:
    data = DataFolder(tmp_path, 0)
    task = asyncio.create_task(keep_swept(data, ResumableUploads(data, 1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await task
