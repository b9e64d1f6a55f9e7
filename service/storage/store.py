"""The one seam between jobs and where they lie; `FolderStore` and `ObjectStore` fill it."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from service.errors import UnknownVideo
from service.storage.disk import DataFolder


@contextmanager
def deleted_meanwhile() -> Iterator[None]:
    """Raise UnknownVideo where a file is gone that was there when it was asked for."""
    try:
        yield
    except FileNotFoundError as error:
        raise UnknownVideo("the files of this video are gone; it was deleted meanwhile") from error


class StoredFile(Protocol):
    """A result, whole and unchanging."""

    @property
    def size(self) -> int: ...
    @property
    def etag(self) -> str:
        """With its quotes; another one when the contents are others."""

    @property
    def modified(self) -> float:
        """When it was written, seconds since 1970."""

    def open(self) -> BinaryIO:
        """For reading, seekable; raises UnknownVideo when it is gone. Blocks, as reading it does."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Folders of this machine in which a job is worked on."""

    source: Path
    """The upload."""
    segments: Path
    """What the steps of the job make, each piece a file or a folder of files."""
    results: Path


class Store(Protocol):
    """Where jobs lie. Every method may block; raises NotReady when the store does not answer, NoSpace when it is full.

    A piece of work has a name and is there as a whole or not at all. Who comes first with a piece has made it: others
    that bring the same one later change nothing.
    """

    @property
    def data(self) -> DataFolder:
        """This machine's own folder, for uploads on their way."""

    def adopt(self, upload: Path, job_id: str) -> None:
        """Make a whole upload the input of a new job. It may keep its own name too; the caller removes that."""

    def at(self, job_id: str) -> AbstractContextManager[Workplace]:
        """Have the job's upload on this machine until the context ends; raises FileNotFoundError when it is gone."""

    def take(self, job_id: str, pieces: Sequence[str]) -> None:
        """Bring the pieces that have been shared into the workplace, where they are not yet."""

    def share(self, job_id: str, piece: str) -> bool:
        """Have everybody see a piece of the workplace; whether nobody was faster."""

    def publish(self, job_id: str, names: Sequence[str]) -> None:
        """Have everybody see these results of the workplace."""

    def result(self, job_id: str, name: str) -> StoredFile:
        """Raises FileNotFoundError."""

    def drop_segments(self, job_id: str) -> None:
        """Remove the unfinished work of a job."""

    def delete(self, job_id: str) -> None:
        """Remove all of a job, and what is left of an earlier try that came to no end."""

    def close(self) -> None:
        """Let go of connections and local copies."""

    def sweep(self, known: set[str]) -> None:
        """Remove what a crash left, once it has rested: what belongs to no job that is `known`, and local copies."""
