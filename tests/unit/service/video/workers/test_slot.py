"""A worker's place on its machine."""

import subprocess
import sys
from pathlib import Path

from service.video.workers.slot import slot


def test_workers_beside_each_other_have_places_of_their_own(tmp_path: Path) -> None:
    with slot(tmp_path) as first, slot(tmp_path) as second:
        assert first.worker_id != second.worker_id
        assert first.dead == second.dead == []
    assert len(list(tmp_path.iterdir())) == 2


def test_who_starts_in_a_dead_workers_place_knows_whom_it_follows(tmp_path: Path) -> None:
    with slot(tmp_path) as first:
        pass
    with slot(tmp_path) as second:
        assert second.dead == [first.worker_id]
        second.settle()
    with slot(tmp_path) as third:
        assert third.dead == [second.worker_id]


def test_the_dead_are_kept_in_mind_until_their_work_is_taken_over(tmp_path: Path) -> None:
    with slot(tmp_path) as first:
        pass
    with slot(tmp_path) as second:
        """Killed before it has taken over."""
    with slot(tmp_path) as third:
        assert third.dead == [first.worker_id, second.worker_id]


def test_a_worker_of_another_machine_is_not_taken_for_dead(tmp_path: Path) -> None:
    (tmp_path / "0.lock").write_text("another-kernel elsewhere:12:ab\n")
    with slot(tmp_path) as here:
        assert here.dead == []


def test_a_place_is_free_once_its_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from service.video.workers.slot import slot\n"
        "with slot(Path(sys.argv[1])) as held: print(held.worker_id, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker_id = process.stdout.readline().strip()
        with slot(tmp_path) as beside:
            assert beside.dead == []
        process.kill()
    with slot(tmp_path) as following:
        assert following.dead == [worker_id]
