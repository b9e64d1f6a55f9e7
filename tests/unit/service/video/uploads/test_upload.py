"""An upload in pieces, on its way to the disk."""

import hashlib
import os
from pathlib import Path

import pytest

from service.errors import NoSpace
from service.video.uploads.upload import UploadFile
from tests.support.bodies import pieces


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
