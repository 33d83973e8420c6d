"""Jobs: work that takes longer than a request, done page by page, by whichever process holds the lease.

A job is one item of the ledger. It stands in a sparse index while it is open, sorted by when it is due: a lease is a
due time in the future, so what a killed process held is taken up again once that has passed, and a run with nothing to
do is one empty query. The state is saved after every page, under the lease's token: whoever lost the lease can save
nothing any more, and a page that was worked twice must do no harm.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression
from imagetrail.errors import NotFound
from imagetrail.tombstones import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Dynamo, Item

INDEX = "idx_ledger_open_jobs"
OPEN = "job"
_PUBLIC = ("id", "kind", "status", "progress", "created_at", "updated_at", "finished_at", "error", "receipt")
_RECEIPTS_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one page did: `counts` of it alone, and the `state` to go on from, at `not_before` if that is given.

    A page that ends the job is `done`, and may give a receipt.
    """

    state: Item
    counts: Mapping[str, int] = field(default_factory=dict)
    not_before: datetime | None = None
    done: bool = False
    receipt: Item | None = None


def key(job_id: str) -> str:
    """The ledger's key of a job."""
    return f"job {job_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Starts jobs and shows them.

    A caller is not kept, only a digest of them under `secret` and the job's id: enough to recognise those who come
    back, also after they were erased. `kick` asks for a run now; one that is lost is made up for by the schedule.
    """

    dynamo: Dynamo
    table: str
    secret: Callable[[], str]
    kick: Callable[[str], object]
    now: Callable[[], datetime] = moments.utc_now

    def start(self, kind: str, subject: str, claim: str, caller: Caller | None) -> dict[str, Any]:
        """The open job that holds this claim on its subject, else a new one.

        The claim is an item of the ledger; it names its job, and outlives it if the job wants that. The job is written
        first: a process killed between leaves a job that claims for itself when it begins.
        """
        while True:
            held = self.dynamo.get(self.table, claim, consistent=True) or {}
            holder = self._job(held)
            if holder is not None and "open" in holder:
                self._admit(holder, caller)
                self.kick(holder["job_id"])
                return public(holder)
            job = self._new(kind, subject, caller)
            self.dynamo.put(self.table, job, Expression("attribute_not_exists(#id) OR #status = :q", {"q": "queued"}))
            if self.claim(claim, job["job_id"], held.get("job_id")):
                self.kick(job["job_id"])
                return public(job)
            with suppress(ConditionFailedError):
                self.dynamo.delete(self.table, job["id"], Expression("attribute_not_exists(#lease)"))

    def claim(self, claim: str, job_id: str, former: str | None = None) -> bool:
        """Makes the claim for a job, in place of a former job's. Whether the job has it now."""
        item = {"id": claim, "job_id": job_id, "at": moments.to_text(self.now())}
        free = "attribute_not_exists(#id)" + ("" if former is None else " OR #job_id = :former")
        try:
            self.dynamo.put(self.table, item, Expression(free, {} if former is None else {"former": former}))
        except ConditionFailedError:
            return (self.dynamo.get(self.table, claim, consistent=True) or {}).get("job_id") == job_id
        return True

    def release(self, claim: str, job_id: str) -> None:
        """Lets a claim expire, a day from now."""
        expiry = Expression("SET #expires_at = :at", {"at": int((self.now() + KEPT).timestamp())})
        with suppress(ConditionFailedError):
            self.dynamo.update(self.table, claim, expiry, Expression("#job_id = :job", {"job": job_id}))

    def claimed(self, claim: str) -> Item | None:
        """The job that holds or held this claim."""
        return self._job(self.dynamo.get(self.table, claim, consistent=True) or {})

    def _job(self, claim: Item) -> Item | None:
        return self.dynamo.get(self.table, key(claim["job_id"]), consistent=True) if claim else None

    def get(self, caller: Caller, job_id: str) -> dict[str, Any]:
        """A job as an admin or one of those who started it may see it. Raises NotFound, also for anybody else."""
        job = self.dynamo.get(self.table, key(job_id), consistent=True)
        if job is None or not self.seen_by(job, caller):
            raise NotFound("No job of yours has this id.")
        return public(job)

    def seen_by(self, job: Item, caller: Caller) -> bool:
        """Whether this caller is an admin, or started this job."""
        return caller.is_admin or self._digest(job["job_id"], caller) in job.get("readers", ())

    def _admit(self, job: Item, caller: Caller | None) -> None:
        if caller is not None and not self.seen_by(job, caller):
            also = Expression("ADD #readers :reader", {"reader": {self._digest(job["job_id"], caller)}})
            self.dynamo.update(self.table, job["id"], also, Expression("attribute_exists(#id)"))

    def _new(self, kind: str, subject: str, caller: Caller | None) -> Item:
        now = self.now()
        job_id = moments.new_id(now)
        return {
            "id": key(job_id),
            "job_id": job_id,
            "kind": kind,
            "subject": subject,
            "readers": None if caller is None else {self._digest(job_id, caller)},
            "status": "queued",
            "progress": {},
            "state": {},
            "attempts": 0,
            "created_at": moments.to_text(now),
            "updated_at": moments.to_text(now),
            "open": OPEN,
            "due_at": moments.to_text(now),
        }

    def _digest(self, job_id: str, caller: Caller) -> str:
        return hmac.digest(self.secret().encode(), f"{job_id} {caller.owner}".encode(), hashlib.sha256).hex()


def finished(now: datetime, **outcome: Any) -> Item:
    """The changes that close a job: what it was about is forgotten, also if it failed. An erasure's claim names it."""
    return {
        **outcome,
        "finished_at": moments.to_text(now),
        "updated_at": moments.to_text(now),
        "expires_at": int((now + _RECEIPTS_KEPT).timestamp()),
        **dict.fromkeys(("open", "due_at", "lease", "subject", "state")),
    }


def public(job: Mapping[str, Any]) -> dict[str, Any]:
    """The job as those who may see it see it."""
    return {name: job.get(name) for name in _PUBLIC} | {"id": job["job_id"]}
