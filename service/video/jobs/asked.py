"""What a caller asks for with a video, from the first byte of the upload to the job."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from service.video.options import VideoOptions

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The same for a plain and for a resumable upload."""

    model: str
    version: int
    options: VideoOptions
    retention_hours: float | None
    """How long the job is kept once it has ended, where the caller says so."""
    name: str | None
    """The file's name as the sender gave it."""
    idempotency_key: str | None
    caller: str

    def named(self, name: str | None) -> Self:
        """With the file's name, of which the end is kept when it is long."""
        return replace(self, name=name[-_LONGEST_NAME:] if name else None)

    def stored(self) -> dict[str, Any]:
        """In JSON."""
        return {**asdict(self), "options": self.options.stored()}

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> Self:
        return cls(**{**stored, "options": VideoOptions.from_stored(stored["options"])})

    def fingerprint(self, *more: object) -> str:
        """Equal for requests of the same; whoever sends them, and whatever the file's name."""
        same = [self.model, self.version, self.options.stored(), self.retention_hours, *more]
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
