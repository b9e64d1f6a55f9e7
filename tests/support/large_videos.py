"""Videos of any size, with little to decode."""

import hashlib
import os
from pathlib import Path

from tests.support import videos


def padded_video(path: Path, padding_bytes: int) -> str:
    """A short clip with a `free` box of noise behind it, which every reader of MP4 skips; its sha256."""
    videos.write_video(path)
    with path.open("ab") as file:
        file.write((8 + padding_bytes).to_bytes(4, "big") + b"free" + os.urandom(padding_bytes))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
