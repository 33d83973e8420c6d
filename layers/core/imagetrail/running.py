"""Runs the jobs that are due, each under a lease."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression, assignment
from imagetrail.errors import Unavailable
from imagetrail.jobs import INDEX, OPEN, Progress, finished, key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item

    Kind = Callable[[Item], Progress]

LEASE = timedelta(seconds=300)
MAX_ATTEMPTS = 8
_PATIENCE = timedelta(seconds=65)
_INTERRUPTED = "interrupted: it was stopped again and again without getting any further"
_DEFECT = "internal_error: a defect of this service"


class JobFailedError(Exception):
    """A job that cannot succeed. The message is shown, and never quotes anybody."""


class LostLeaseError(Exception):
    """Somebody else has taken the job up, or it is closed."""


@dataclass(slots=True)
class Run:
    """What one run did: pages worked, jobs finished, and those that failed or stumbled, with the reason's type."""

    pages: int = 0
    succeeded: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    stumbled: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Works due jobs until none is left or the time is up. `kinds` are by name."""

    dynamo: Dynamo
    table: str
    kinds: Mapping[str, Kind]
    now: Callable[[], datetime] = moments.utc_now
    pause: Callable[[float], None] = time.sleep

    def run(self, time_left: timedelta, first: str | None = None) -> Run:
        """One run of at most `time_left`, a page over. `first` is the job to begin with. Raises Unavailable."""
        run, deadline = Run(), self.now() + time_left
        if first is not None:
            self._take(key(first), run, deadline)
        while self.now() < deadline:
            for item_key in self._due():
                self._take(item_key, run, deadline)
                if self.now() >= deadline:
                    break
            else:
                if not self._wait(deadline):
                    break
        return run

    def _due(self) -> Iterator[str]:
        """The jobs that are due now, those that have waited longest first."""
        due = Expression("#open = :open AND #due_at <= :now", {"open": OPEN, "now": moments.to_text(self.now())})
        start = None
        while True:
            page = self.dynamo.query(self.table, INDEX, due, newest_first=False, limit=100, start=start)
            yield from (item["id"] for item in page.items)
            if (start := page.last) is None:
                return

    def _wait(self, deadline: datetime) -> bool:
        """Waits for a job that will be due soon: sooner than the next run of the schedule. Whether there is one."""
        every = Expression("#open = :open", {"open": OPEN})
        now = self.now()
        for item in self.dynamo.query(self.table, INDEX, every, newest_first=False, limit=1).items:
            due = moments.from_text(item["due_at"])
            if due < min(deadline, now + _PATIENCE):
                # A second and more: the index may not have caught up with a job that was just taken.
                self.pause(max((due - now).total_seconds(), 1.0))
                return True
        return False

    def _take(self, item_key: str, run: Run, deadline: datetime) -> None:
        try:
            job = self._lease(item_key)
        except ConditionFailedError:
            return
        try:
            self._work(job, run, deadline)
        except LostLeaseError:
            return
        except Unavailable:
            self._stumble(job, run, "Unavailable", attempts=0)
        except JobFailedError as error:
            self._fail(job, run, str(error), "JobFailedError")
        except Exception as error:
            if job["attempts"] >= MAX_ATTEMPTS:
                self._fail(job, run, _DEFECT, type(error).__name__)
            else:
                self._stumble(job, run, type(error).__name__, attempts=job["attempts"])

    def _lease(self, item_key: str) -> Item:
        """The job, held. Raises ConditionFailedError when another holds it, or it is closed or not due."""
        now, token = self.now(), secrets.token_hex(16)
        lease = Expression(
            "SET #lease = :token, #due_at = :until, #status = :running ADD #attempts :one",
            {"token": token, "until": moments.to_text(now + LEASE), "running": "running", "one": 1},
        )
        # The first of two identical requests may have got through, its answer lost: then the token is ours.
        due = Expression("#open = :open AND (#due_at <= :now OR #lease = :token)", {"open": OPEN, "now": _text(now)})
        self.dynamo.update(self.table, item_key, lease, due)
        job = self.dynamo.get(self.table, item_key, consistent=True)
        if job is None or job.get("lease") != token:
            raise ConditionFailedError
        return job

    def _work(self, job: Item, run: Run, deadline: datetime) -> None:
        if job["attempts"] > MAX_ATTEMPTS:
            raise JobFailedError(_INTERRUPTED)
        while True:
            progress = self.kinds[job["kind"]](job)
            run.pages += 1
            counts = {**job["progress"]}
            for name, count in progress.counts.items():
                counts[name] = counts.get(name, 0) + count
            if progress.done:
                receipt = self._receipt(job, counts, progress)
                self._write(job, finished(self.now(), status="succeeded", progress=counts, receipt=receipt))
                run.succeeded += 1
                return
            leaving = progress.not_before or (self.now() if self.now() >= deadline else None)
            self._write(
                job,
                {
                    "state": progress.state,
                    "progress": counts,
                    "attempts": 0,
                    "updated_at": _text(self.now()),
                    "due_at": _text(leaving or self.now() + LEASE),
                    **({"lease": None} if leaving else {}),
                },
            )
            if leaving:
                return

    def _receipt(self, job: Item, counts: Item, progress: Progress) -> Item:
        return {
            "counts": counts,
            "requested_at": job["created_at"],
            "finished_at": _text(self.now()),
            **(progress.receipt or {}),
        }

    def _write(self, job: Item, changes: Item) -> None:
        """Saves changes under the lease. Raises LostLeaseError."""
        token = job["lease"]
        held = Expression("#lease = :token", {"token": token})
        try:
            self.dynamo.update(self.table, job["id"], assignment(changes), held)
        except ConditionFailedError:
            current = self.dynamo.get(self.table, job["id"], consistent=True) or {}
            # The first of two identical requests gave the lease back, and its answer was lost.
            if "lease" in current or any(current.get(name) != value for name, value in changes.items()):
                raise LostLeaseError from None
        job |= changes

    def _stumble(self, job: Item, run: Run, reason: str, *, attempts: int) -> None:
        """Gives the job back, to be tried again after a while that grows with the attempts."""
        run.stumbled[job["job_id"]] = reason
        later = self.now() + timedelta(minutes=min(2**attempts, 60))
        self._close(job, {"lease": None, "due_at": _text(later), "attempts": attempts})

    def _fail(self, job: Item, run: Run, error: str, reason: str) -> None:
        run.failed[job["job_id"]] = reason
        self._close(job, finished(self.now(), status="failed", error=error))

    def _close(self, job: Item, changes: Item) -> None:
        try:
            self._write(job, changes)
        except LostLeaseError:
            return


def _text(moment: datetime) -> str:
    return moments.to_text(moment)
