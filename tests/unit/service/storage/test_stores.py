"""What every store does, examined on a folder and on a bucket of an S3 server."""

import errno
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest
from botocore.exceptions import ReadTimeoutError

from service.errors import NoSpace, NotReady, StorageUnavailable, UnknownVideo
from service.manifest.package import sha256_of
from service.settings import Settings
from service.storage.disk import DataFolder, appearing
from service.storage.opening import open_store
from service.storage.scratch import IDLE_SECONDS, Scratch
from service.storage.store import Store
from tests.support.s3 import BUCKET, S3, running_s3, use

JOB = "11111111-2222-3333-4444-555555555555"
VIDEO = bytes(range(256)) * 4096
OLD = 0.0

Open = Callable[[str], Store]
"""A store as a machine of this name opens it."""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with running_s3() as running:
        yield running


def adopt(store: Store, job_id: str = JOB) -> None:
    upload = store.data.new_upload()
    upload.write_bytes(VIDEO)
    store.adopt(upload, job_id)
    upload.unlink(missing_ok=True)


def make_piece(store: Store, text: str, piece: str = "00000") -> bool:
    """What a worker does with a segment."""
    with store.at(JOB) as place:
        folder = place.segments / piece
        folder.mkdir(exist_ok=True)
        (folder / "rows.jsonl").write_text(text)
        (folder / "stats.json").write_text("{}")
        return store.share(JOB, piece)


class StoreTests(ABC):
    """The tests; a subclass says what `settings` a machine of a name has."""

    @pytest.fixture
    def machine(self) -> Iterator[Open]:
        opened: dict[str, Store] = {}

        def open_once(name: str) -> Store:
            if name not in opened:
                opened[name] = open_store(self.settings(name))
            return opened[name]

        yield open_once
        for store in opened.values():
            store.close()

    @abstractmethod
    def settings(self, name: str) -> Settings: ...

    def test_an_upload_is_on_every_machine_as_it_came(self, machine: Open) -> None:
        adopt(machine("server"))
        with machine("worker").at(JOB) as place:
            assert place.source.read_bytes() == VIDEO

    def test_a_job_without_an_upload_can_t_be_worked_on(self, machine: Open) -> None:
        with pytest.raises(FileNotFoundError), machine("worker").at(JOB):
            pass

    def test_a_piece_is_seen_on_another_machine_once_it_is_shared(self, machine: Open) -> None:
        first, second = machine("one"), machine("two")
        adopt(first)
        with second.at(JOB) as place:
            second.take(JOB, ["00000", "index.npz"])
            assert not (place.segments / "00000").exists()
        assert make_piece(first, "row")
        with first.at(JOB) as place:
            (place.segments / "index.npz").write_bytes(b"index")
            assert first.share(JOB, "index.npz")
        with second.at(JOB) as place:
            second.take(JOB, ["00000", "index.npz"])
            assert (place.segments / "00000" / "rows.jsonl").read_text() == "row"
            assert sorted(path.name for path in (place.segments / "00000").iterdir()) == ["rows.jsonl", "stats.json"]
            assert (place.segments / "index.npz").read_bytes() == b"index"

    def test_results_are_read_whole_and_from_any_place(self, machine: Open) -> None:
        worker, server = machine("worker"), machine("server")
        adopt(server)
        with worker.at(JOB) as place:
            (place.results / "annotated.mp4").write_bytes(VIDEO)
            worker.publish(JOB, ["annotated.mp4"])
        result = server.result(JOB, "annotated.mp4")
        assert result.size == len(VIDEO)
        assert abs(result.modified - time.time()) < 600
        with result.open() as file:
            assert file.read() == VIDEO
            file.seek(1_000_000)
            assert file.read(10) == VIDEO[1_000_000:1_000_010]

    def test_a_result_that_is_not_there_is_not_found(self, machine: Open) -> None:
        adopt(machine("server"))
        with pytest.raises(FileNotFoundError):
            machine("server").result(JOB, "summary.json")

    def test_a_result_that_goes_before_it_is_opened_is_unknown(self, machine: Open) -> None:
        store = machine("server")
        adopt(store)
        with store.at(JOB) as place:
            (place.results / "summary.json").write_text("{}")
            store.publish(JOB, ["summary.json"])
        result = store.result(JOB, "summary.json")
        store.delete(JOB)
        with pytest.raises(UnknownVideo):
            result.open()

    def test_the_etag_tells_contents_apart(self, machine: Open) -> None:
        store = machine("worker")
        adopt(store)
        etags = []
        for text in ("one", "another"):
            with store.at(JOB) as place:
                (place.results / "summary.json").write_text(text)
                store.publish(JOB, ["summary.json"])
            etags.append(store.result(JOB, "summary.json").etag)
        assert etags[0] != etags[1]
        assert all(etag[0] == etag[-1] == '"' for etag in etags)

    def test_dropping_the_segments_keeps_upload_and_results(self, machine: Open) -> None:
        store = machine("worker")
        adopt(store)
        make_piece(store, "row")
        with store.at(JOB) as place:
            (place.results / "summary.json").write_text("{}")
            store.publish(JOB, ["summary.json"])
        store.drop_segments(JOB)
        assert not self.left("segments")
        assert store.result(JOB, "summary.json").size == 2
        with machine("other").at(JOB) as place:
            assert place.source.read_bytes() == VIDEO

    def test_deleting_leaves_nothing_and_may_be_repeated(self, machine: Open) -> None:
        store = machine("server")
        adopt(store)
        make_piece(store, "row")
        store.delete(JOB)
        assert not self.left(JOB)
        store.delete(JOB)

    @abstractmethod
    def left(self, part: str) -> list[str]:
        """Paths of what is stored under a name that holds this."""


class TestFolderStore(StoreTests):
    """All have mounted the same folder."""

    @pytest.fixture(autouse=True)
    def mounted(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def settings(self, name: str) -> Settings:
        return Settings(data_dir=self.folder, min_free_disk_gigabytes=0)

    def left(self, part: str) -> list[str]:
        return [str(path) for path in self.folder.rglob("*") if part in str(path.relative_to(self.folder))]

    def test_where_a_file_has_one_name_only_the_upload_is_copied(
        self, machine: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuses(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuses)
        store = machine("server")
        upload = store.data.new_upload()
        upload.write_bytes(VIDEO)
        store.adopt(upload, JOB)
        store.delete(JOB)
        assert upload.read_bytes() == VIDEO
        full = open_store(self.settings("full").model_copy(update={"min_free_disk_gigabytes": 10**9}))
        with pytest.raises(NoSpace, match="must stay free"):
            full.adopt(upload, JOB)

    def test_a_sweep_removes_what_rests_without_a_job_and_nothing_else(self, machine: Open) -> None:
        store = machine("worker")
        for job in ("known", "forgotten", "young"):
            adopt(store, job)
        for job in ("known", "forgotten"):
            os.utime(self.folder / "videos" / job, (OLD, OLD))
        cut_off, young = store.data.new_upload(), store.data.new_upload()
        for upload in (cut_off, young):
            upload.write_bytes(b"half")
        os.utime(cut_off, (OLD, OLD))
        store.sweep({"known"})
        assert not self.left("forgotten")
        assert self.left("known")
        assert self.left("young")
        assert (cut_off.exists(), young.exists()) == (False, True)


class TestObjectStore(StoreTests):
    """Each has a folder of its own, and nothing but the bucket in common."""

    @pytest.fixture(autouse=True)
    def in_a_bucket(self, tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        use(s3, monkeypatch)
        self.s3, self.prefix, self.folder = s3, tmp_path.name, tmp_path

    def settings(self, name: str) -> Settings:
        url = f"s3://{BUCKET}/{self.prefix}"
        return Settings(data_dir=self.folder / name, min_free_disk_gigabytes=0, storage_url=url)

    def left(self, part: str) -> list[str]:
        return [key for key in self.s3.keys(self.prefix) if part in key.removeprefix(self.prefix)]

    def test_a_sweep_goes_by_the_age_of_the_newest_object(self, machine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        store = machine("worker")
        for job in ("known", "forgotten"):
            adopt(store, job)
        store.sweep({"known"})
        assert self.left("forgotten")
        monkeypatch.setattr("service.storage.objects.ABANDONED_AFTER_SECONDS", -10.0)
        store.sweep({"known"})
        assert not self.left("forgotten")
        assert self.left("known")

    def test_the_first_to_bring_a_piece_has_made_it(self, machine: Open) -> None:
        one, two = machine("one"), machine("two")
        adopt(one)
        assert make_piece(one, "first")
        assert not make_piece(two, "second")
        with two.at(JOB) as place:
            two.take(JOB, ["00000"])
            assert (place.segments / "00000" / "rows.jsonl").read_text() == "first"
            (place.segments / "encoder.json").write_text("mine")
            assert two.share(JOB, "encoder.json")
        with one.at(JOB) as place:
            (place.segments / "encoder.json").write_text("other")
            assert not one.share(JOB, "encoder.json")
            assert (place.segments / "encoder.json").read_text() == "mine"
        assert len(self.left("00000")) == 3

    def test_a_piece_is_kept_whose_mark_was_stored_but_the_answer_lost(self, machine: Open) -> None:
        """The client tries again by itself, and hears that the mark is there already."""
        store, lost = machine("one"), []
        adopt(store)

        def note(params: dict[str, object], context: dict[str, object], **_: object) -> None:
            context["conditional"] = "IfNoneMatch" in params

        def lose(context: dict[str, object], **_: object) -> None:
            if context["conditional"] and not lost:
                lost.append(self.left(".piece"))
                raise ReadTimeoutError(endpoint_url="the store")

        events = store._files._s3.meta.events  # type: ignore[attr-defined]
        events.register("provide-client-params.s3.PutObject", note)
        events.register("after-call.s3.PutObject", lose)
        assert make_piece(store, "row")
        assert len(lost) == len(lost[0]) == 1, "it was not stored, or its answer not lost"
        other = machine("two")
        with other.at(JOB) as place:
            other.take(JOB, ["00000"])
            assert (place.segments / "00000" / "rows.jsonl").read_text() == "row"

    def test_a_piece_without_its_mark_is_no_piece(self, machine: Open) -> None:
        """What a worker leaves that is killed while it brings a piece."""
        store = machine("one")
        adopt(store)
        make_piece(store, "row")
        (mark,) = self.left(".piece")
        store._files.rm_file(f"{BUCKET}/{mark}")  # type: ignore[attr-defined]
        with machine("two").at(JOB) as place:
            machine("two").take(JOB, ["00000"])
            assert not list(place.segments.iterdir())

    def test_a_shared_piece_takes_no_room_on_the_machine_that_made_it(self, machine: Open) -> None:
        store = machine("one")
        adopt(store)
        make_piece(store, "row")
        assert not list((self.folder / "one").rglob("rows.jsonl"))

    @pytest.mark.parametrize("number", [errno.EBUSY, errno.EREMOTEIO])
    def test_a_piece_outlasts_a_store_that_refuses_for_a_moment(
        self, machine: Open, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def refuses(*_: object, **__: object) -> None:
            raise OSError(number, "please reduce your request rate")

        store = machine("one")
        adopt(store)
        with monkeypatch.context() as patch:
            patch.setattr(store._files, "pipe_file", refuses)  # type: ignore[attr-defined]
            with pytest.raises(NotReady):
                make_piece(store, "row")
        with store.at(JOB) as place:
            assert (place.segments / "00000" / "rows.jsonl").read_text() == "row"
            assert store.share(JOB, "00000")

    def test_the_upload_is_fetched_once_and_goes_with_the_job(self, machine: Open) -> None:
        store = machine("worker")
        adopt(store)
        inodes = set()
        for _ in range(3):
            with store.at(JOB) as place:
                inodes.add(place.source.stat().st_ino)
        assert len(inodes) == 1
        store.delete(JOB)
        assert not list((self.folder / "worker" / "scratch").rglob("source"))

    def test_an_upload_is_not_fetched_when_it_would_fill_the_disk(self, machine: Open, s3: S3) -> None:
        adopt(machine("server"))
        full = open_store(self.settings("full").model_copy(update={"min_free_disk_gigabytes": 10**9}))
        with pytest.raises(NoSpace, match="must stay free"), full.at(JOB):
            pass
        full.close()
        assert not list((self.folder / "full").rglob("source*"))

    def test_a_copy_with_other_contents_of_the_same_length_is_not_taken(self, machine: Open, s3: S3) -> None:
        adopt(machine("server"))
        (key,) = self.left("source")
        s3.write(key, VIDEO[::-1], s3.metadata(key))
        with pytest.raises(OSError, match="another checksum"), machine("worker").at(JOB):
            pass
        assert not [path for path in (self.folder / "worker").rglob("source*") if path.is_file()]
        s3.write(key, VIDEO, s3.metadata(key))
        with machine("worker").at(JOB) as place:
            assert place.source.read_bytes() == VIDEO

    def test_a_large_upload_which_goes_in_parts_has_its_checksum_too(self, machine: Open, s3: S3) -> None:
        upload = machine("server").data.new_upload()
        upload.write_bytes(VIDEO * 110)  # s3fs parts it from 100 MiB on
        machine("server").adopt(upload, JOB)
        (key,) = self.left("source")
        assert s3.metadata(key) == {"sha256": sha256_of(upload)}
        with machine("worker").at(JOB) as place:
            assert sha256_of(place.source) == sha256_of(upload)

    def test_an_object_that_a_restore_wrote_without_its_checksum_is_judged_by_its_size(
        self, machine: Open, s3: S3
    ) -> None:
        adopt(machine("server"))
        (key,) = self.left("source")
        s3.write(key, VIDEO, {})
        with machine("worker").at(JOB) as place:
            assert place.source.read_bytes() == VIDEO

    def test_a_piece_whose_copy_breaks_off_is_not_there(self, machine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half an index must not be taken for the index at the next try."""
        one, two = machine("one"), machine("two")
        adopt(one)
        with one.at(JOB) as place:
            (place.segments / "index.npz").write_bytes(b"index")
            one.share(JOB, "index.npz")

        def breaks_off(_key: str, target: str) -> None:
            Path(target).write_bytes(b"ind")
            raise ConnectionResetError

        with two.at(JOB) as place:
            with monkeypatch.context() as patch:
                patch.setattr(two._files, "get_file", breaks_off)  # type: ignore[attr-defined]
                with pytest.raises(NotReady):
                    two.take(JOB, ["index.npz"])
            assert not list(place.segments.iterdir())
            two.take(JOB, ["index.npz"])
            assert (place.segments / "index.npz").read_bytes() == b"index"

    @pytest.mark.parametrize("bucket", ["missing", ""])
    def test_a_bucket_that_is_not_there_stops_the_start(self, machine: Open, bucket: str) -> None:
        with pytest.raises(StorageUnavailable, match="ENDOMASK_STORAGE_URL"):
            open_store(Settings(data_dir=self.folder, storage_url=f"s3://{bucket}/x"))


class TestScratch:
    """Local copies, by a clock that the test sets."""

    now_s = 0.0

    @pytest.fixture
    def scratch(self, tmp_path: Path) -> Iterator[Scratch]:
        made = Scratch(tmp_path, lambda: self.now_s)
        yield made
        made.close()

    def use(self, scratch: Scratch, job: str) -> None:
        with scratch.at(job, lambda path: path.touch()):
            self.now_s += 1

    def kept(self, folder: Path) -> list[str]:
        return sorted(path.parent.name for path in folder.rglob("source"))

    def test_only_the_last_few_jobs_are_kept(self, scratch: Scratch, tmp_path: Path) -> None:
        for job in "abacdef":
            self.use(scratch, job)
        assert self.kept(tmp_path) == ["c", "d", "e", "f"]

    def test_what_is_not_used_for_long_goes(self, scratch: Scratch, tmp_path: Path) -> None:
        self.use(scratch, "old")
        self.now_s += IDLE_SECONDS
        self.use(scratch, "new")
        assert self.kept(tmp_path) == ["new"]

    def test_what_somebody_is_at_stays_until_that_ends(self, scratch: Scratch, tmp_path: Path) -> None:
        with scratch.at("busy", lambda path: path.touch()):
            scratch.drop("busy")
            for job in "abcdef":
                self.use(scratch, job)
            self.now_s += 2 * IDLE_SECONDS
            scratch.sweep()
            assert self.kept(tmp_path) == ["busy"]

    def test_threads_that_come_first_together_have_one_folder(self, scratch: Scratch) -> None:
        together = Barrier(8, timeout=60)

        def place(_: int) -> Path:
            together.wait()
            return scratch.place("job").source

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(place, range(8)))) == 1

    def test_a_copy_that_breaks_off_is_begun_anew(self, scratch: Scratch, tmp_path: Path) -> None:
        def fails(path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError("gone")

        with pytest.raises(OSError, match="gone"), scratch.at("job", fails):
            pass
        with scratch.at("job", lambda path: path.touch()) as place:
            assert place.source.read_bytes() == b""

    def test_a_sweep_removes_what_killed_processes_left_and_nothing_that_is_in_use(
        self, scratch: Scratch, tmp_path: Path
    ) -> None:
        self.use(scratch, "ours")
        left = tmp_path / "4711-dead"
        (left / "job").mkdir(parents=True)
        (left / "lock").touch()
        other = Scratch(tmp_path)
        other.sweep()
        assert not left.exists()
        assert self.kept(tmp_path) == ["ours"]


def test_a_file_appears_whole_whoever_else_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "encoder.json"
    with appearing(path) as one, appearing(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert not path.exists()
    with suppress(InterruptedError), appearing(path) as half:
        half.write_text("half")
        raise InterruptedError
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["one"]


def test_space_is_measured_with_what_is_to_come(tmp_path: Path) -> None:
    data = DataFolder(tmp_path, 0)
    data.require_space(0)
    with pytest.raises(NoSpace, match="would be written"):
        data.require_space(10**18)
