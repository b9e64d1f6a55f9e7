"""Work that nobody is at any more goes back into its queue, and records of what has ended go."""

import logging
from collections import defaultdict

import sqlalchemy as sa
from dbos import DBOSClient

from service.storage.store import Store
from service.video.jobs.heartbeat import alive, claim, give_up, known, leave
from service.video.jobs.queueing import APPLICATION, APPLICATION_VERSION, QUEUE_OF, job_of
from service.video.jobs.records import JobTable

log = logging.getLogger(__name__)

_ENDED = ["SUCCESS", "ERROR", "CANCELLED"]


class TakeOver:
    """Seen from one worker: what others have left behind, and what it lost itself."""

    def __init__(self, engine: sa.Engine, store: Store, worker_id: str) -> None:
        self._engine = engine
        self._worker_id = worker_id
        self._client = DBOSClient(
            system_database_engine=engine, application_name=APPLICATION, retry_connection_errors=False
        )
        self._store = store
        self._suspects: set[str] = set()

    def from_predecessors(self, dead: list[str]) -> None:
        """Queue again what workers were at that are known to have died, whatever their lease says."""
        for worker_id in dead:
            give_up(self._engine, worker_id)
            self._take_from(worker_id)

    def from_the_dead(self) -> None:
        """Queue again what workers were at that have not been seen for the length of the lease."""
        candidates = {*self._pending(), *known(self._engine)} - alive(self._engine) - {self._worker_id}
        for worker_id in sorted(candidates):
            self._take_from(worker_id)

    def _take_from(self, dead: str) -> None:
        """One worker alone claims a dead one, so nothing that was taken over is taken a second time. Should the dead
        wake up, DBOS refuses to record the steps that it ends: another owns them."""
        if claim(self._engine, dead):
            left = self._pending().get(dead, {})
            log.warning("taking over from worker %s, which has died: %d tasks", dead, len(left))
            self._queue_again(left)
            leave(self._engine, dead)

    def from_itself(self, at_work: set[str]) -> None:
        """Queue again what the database says this worker is at, but which it is not, now and when last asked: the
        connection broke while it was taken from the queue."""
        pending = self._pending().get(self._worker_id, {})
        lost = {task: name for task, name in pending.items() if task not in at_work}
        self._queue_again({task: name for task, name in lost.items() if task in self._suspects})
        self._suspects = set(lost)

    def leave(self) -> None:
        """Give back everything this worker was at, so that others need not wait for its lease to run out."""
        self._queue_again(self._pending().get(self._worker_id, {}))
        leave(self._engine, self._worker_id)
        self._client.destroy()

    def sweep(self) -> None:
        """Remove what crashes and deletions left: files, and DBOS's record of tasks that nobody asks for."""
        table = JobTable(self._engine)
        active = table.ids(active=True)
        ids = table.ids()
        self._store.sweep(ids)
        ended = self._client.list_workflows(status=_ENDED, name=list(QUEUE_OF), load_input=False, load_output=False)
        useless = [entry.workflow_id for entry in ended if job_of(entry.workflow_id) not in active]
        if useless:
            self._client.delete_workflows(useless)

    def _pending(self) -> dict[str, dict[str, str]]:
        """For each worker the tasks that the database says it is at, and their workflow's name."""
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for entry in self._client.list_workflows(
            status="PENDING",
            name=list(QUEUE_OF),
            app_version=APPLICATION_VERSION,
            load_input=False,
            load_output=False,
        ):
            found[entry.executor_id or ""][entry.workflow_id] = entry.name
        return found

    def _queue_again(self, tasks: dict[str, str]) -> None:
        for workflow, queue in QUEUE_OF.items():
            if chosen := [task for task, name in tasks.items() if name == workflow]:
                self._client.resume_workflows(chosen, queue_name=queue)
