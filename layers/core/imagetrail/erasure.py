"""What is left of a user who leaves, or of a dataset that is deleted: page by page until nothing is.

Both go round in passes over the same kinds of things. A pass drains each index from its beginning, so a page that was
worked twice, or not to its end, does no harm. The job is done when a pass that began later than any request from before
the tombstone can have ended found nothing more. A record that is still pending is left to its generation, or to the
sweep, and the pass is repeated; pixels go before their record, so that a kill between leaves what can be found again.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from imagetrail import erasure_receipts, moments
from imagetrail.allowances import DAILY
from imagetrail.callers import owner_of
from imagetrail.datasets import BY_OWNER as DATASETS_BY_OWNER
from imagetrail.dynamo import ConditionFailedError, Expression, assignment
from imagetrail.erasing import DATASET, claim
from imagetrail.erasure_receipts import EXPORTS_OF_ALL_COUNT
from imagetrail.history import BY_DATASET, BY_OWNER
from imagetrail.images import unchanged
from imagetrail.jobs import Progress
from imagetrail.records import image_key, index_keys, thumbnail_key
from imagetrail.running import JobFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item, Page
    from imagetrail.edge import Edge
    from imagetrail.jobs import Jobs
    from imagetrail.versions import Erased, Versions

    Step = Callable[[str], int]
    Outcome = tuple[dict[str, int], bool]
    Stage = Callable[[str, Item], Outcome]

LONGEST_REQUEST = timedelta(seconds=45)
"""No function that answers requests runs longer than 29 seconds; the rest is for an index to catch up."""

_ACCOUNT_DAYS = 9
_OVERDUE = timedelta(minutes=10)
_PASSES_IN_VAIN = 6
_LONGEST_WAIT = 5  # doublings: nearly three minutes, which no process stays for
_NAMED = 20

EXPORTS_OF_ALL = "exports/all/"
"""The prefix of exports by those who see everybody's records."""


def exports(owner: str) -> str:
    """The prefix of an owner's exports in the bucket."""
    return f"exports/{hashlib.sha256(owner.encode()).hexdigest()[:32]}/"


class NotYetError(Exception):
    """A step waits for somebody else, and is taken again a little later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Works the pages of both kinds of jobs.

    `steps` are other stores, by name: each deletes up to a page of what it keeps
    of a user id and says how much that was; it is called until that is 0. `rate` is records a second: what an index
    partition takes is shared with those who are at work. `again` is how soon what is pending is looked at again,
    and later each time that nothing else is left to be done.
    """

    dynamo: Dynamo
    images_table: str
    datasets_table: str
    ledger_table: str
    versions: Versions
    jobs: Jobs
    edge: Edge
    steps: Mapping[str, Step]
    longest_request: timedelta = LONGEST_REQUEST
    rate: float = 250
    page: int = 500
    again: timedelta = timedelta(seconds=5)
    now: Callable[[], datetime] = moments.utc_now
    pause: Callable[[float], None] = time.sleep

    def __call__(self, job: Item) -> Progress:
        """One page. Raises JobFailedError when objects cannot be deleted, and Unavailable."""
        started = time.monotonic()
        state = dict(job["state"]) or self._begin(job)
        stages = self._stages(job)
        if state["stage"] == len(stages):
            return self._end(job, state)
        counts, more = stages[state["stage"]](job["subject"], state)
        state["found"] += sum(counts.values())
        if not more:
            state |= {"stage": state["stage"] + 1, "dataset": 0, "cursor": None}
        worked = counts.get("records", 0) + counts.get("records_unlinked", 0)
        self.pause(max(worked / self.rate - (time.monotonic() - started), 0))
        return Progress(state=state, counts=counts)

    def _begin(self, job: Item) -> Item:
        self.jobs.claim(claim(job["kind"], job["subject"]), job["job_id"])
        now = self.now()
        return {
            "datasets": [job["subject"]] if job["kind"] == DATASET else [],
            "job_id": job["job_id"],
            "rows_deleted": 0,
            "ready_at": moments.to_text(now + self.longest_request),
            "in_vain": 0,
            **_new_pass(now),
        }

    def _stages(self, job: Item) -> list[Stage]:
        of_datasets: list[Stage] = [self._references, self._uses]
        if job["kind"] == DATASET:
            return of_datasets
        steps = [self._step(name, step) for name, step in self.steps.items()]
        return [self._records, self._edge, self._datasets, *of_datasets, self._exports, self._accounts, *steps]

    def _end(self, job: Item, state: Item) -> Progress:
        """The end of a pass: the end of the job, or the beginning of the next pass."""
        now = self.now()
        if not (state["found"] or state["pending"] or state["refused"]) and state["began"] >= state["ready_at"]:
            self.jobs.release(claim(job["kind"], job["subject"]), job["job_id"])
            return Progress(state={}, done=True, receipt=erasure_receipts.receipt(job))
        following = {**state, **_new_pass(now), "in_vain": state["in_vain"] + 1 if state["refused"] else 0}
        wait = timedelta()
        if state["refused"]:
            if following["in_vain"] == _PASSES_IN_VAIN:
                raise JobFailedError(f"These objects cannot be deleted: {', '.join(state['refused'])}")
            wait = self.again * 4 ** state["in_vain"]
        elif state["pending"]:
            wait = self.again * 2 ** min(state.get("waits", 0), _LONGEST_WAIT)
            following["waits"] = 0 if state["found"] else state.get("waits", 0) + 1
        begin = max(moments.from_text(state["ready_at"]), now + wait)
        return Progress(state=following | {"began": moments.to_text(begin)}, not_before=begin)

    def _records(self, user_id: str, state: Item) -> Outcome:
        page = self._query(self.images_table, BY_OWNER, "owner", owner_of(user_id), state)
        waiting = [record for record in page.items if not self._cancelled(record)]
        settled = self._settled(waiting, state)
        erased = self.versions.erase(key for record in settled for key in (image_key(record), thumbnail_key(record)))
        _note(erased, state)
        gone = [r for r in settled if not erased.refused & {image_key(r), thumbnail_key(r)}]
        self.dynamo.delete_many(self.images_table, [record["id"] for record in gone])
        state["images"] += len(gone)
        cancelled = len(page.items) - len(waiting)
        return {"records": len(gone) + cancelled, "object_versions": erased.count}, page.last is not None

    def _cancelled(self, record: Item) -> bool:
        """Whether this was a generation in the queue that now nobody begins. What it holds is free once it expires."""
        if record["status"] != "pending" or not record.get("queued") or "claim" in record:
            return False
        unclaimed = Expression("#status = :pending AND attribute_not_exists(#claim)", {"pending": "pending"})
        try:
            self.dynamo.delete(self.images_table, record["id"], unclaimed)
        except ConditionFailedError:
            return False
        return True

    def _edge(self, _user_id: str, state: Item) -> Outcome:
        """All at once and by wildcard: a path each would be $10,000 for a million images."""
        if state["images"]:
            self.edge.forget(["/images/*", "/thumbnails/*"], because=[state["job_id"], state["began"]])
        return {}, False

    def _datasets(self, user_id: str, state: Item) -> Outcome:
        """Only notes them: their rows go once it is known for good what else has to."""
        page = self._query(self.datasets_table, DATASETS_BY_OWNER, "owner", owner_of(user_id), state)
        new = [dataset["id"] for dataset in page.items if dataset["id"] not in state["datasets"]]
        state["datasets"] = [*state["datasets"], *new]
        return {"datasets": len(new)}, page.last is not None

    def _references(self, _subject: str, state: Item) -> Outcome:
        if state["dataset"] == len(state["datasets"]):
            return {}, False
        dataset_id = state["datasets"][state["dataset"]]
        if state["dataset"] == state["rows_deleted"]:
            self.dynamo.delete_many(self.datasets_table, [dataset_id])
            state["rows_deleted"] += 1
            state["ready_at"] = max(state["ready_at"], moments.to_text(self.now() + self.longest_request))
        erased = self.versions.erase_some(f"references/{dataset_id}/")
        _note(erased, state)
        if not erased.count:
            state["dataset"] += 1
        return {"reference_versions": erased.count}, True

    def _uses(self, _subject: str, state: Item) -> Outcome:
        if state["dataset"] == len(state["datasets"]):
            return {}, False
        dataset_id = state["datasets"][state["dataset"]]
        page = self._query(self.images_table, BY_DATASET, "dataset_id", dataset_id, state)
        settled = self._settled(page.items, state)
        unlinked = sum(self.versions.executor.map(self._unlink, settled))
        state["pending"] += len(settled) - unlinked  # changed by somebody meanwhile: looked at again
        if page.last is None:
            state["dataset"] += 1
        return {"records_unlinked": unlinked}, True

    def _unlink(self, record: Item) -> bool:
        """Takes the dataset out of a record, unless that was moved meanwhile: no change is lost."""
        before, after = index_keys(record), index_keys({**record, "dataset_id": None})
        changes = {name: after[name] for name in after if after[name] != before[name]} | {"dataset_id": None}
        try:
            self.dynamo.update(self.images_table, record["id"], assignment(changes), unchanged(record))
        except ConditionFailedError:
            return False
        return True

    def _exports(self, user_id: str, state: Item) -> Outcome:
        own = self.versions.erase_some(exports(owner_of(user_id)))
        of_all = self.versions.erase_some(EXPORTS_OF_ALL)
        for erased in (own, of_all):
            _note(erased, state)
        counts = {"export_versions": own.count, EXPORTS_OF_ALL_COUNT: of_all.count}
        return counts, any(counts.values())

    def _accounts(self, user_id: str, _state: Item) -> Outcome:
        """The daily quotas, as far back as the ledger keeps them."""
        days = (self.now() + timedelta(days=1 - back) for back in range(_ACCOUNT_DAYS + 1))
        keys = [f"{DAILY} {day:%Y-%m-%d} {owner_of(user_id)}" for day in days]
        held = [key for key in keys if self.dynamo.get(self.ledger_table, key) is not None]
        self.dynamo.delete_many(self.ledger_table, held)
        return {"quota_days": len(held)}, False

    @staticmethod
    def _step(name: str, step: Step) -> Stage:
        def work(user_id: str, state: Item) -> Outcome:
            try:
                count = step(user_id)
            except NotYetError:
                state["pending"] += 1
                return {}, False
            return {name: count}, count > 0

        return work

    def _query(self, table: str, index: str, attribute: str, partition: str, state: Item) -> Page:
        """The next page of a partition, from the cursor on."""
        key = Expression(f"#{attribute} = :partition", {"partition": partition})
        page = self.dynamo.query(table, index, key, newest_first=False, limit=self.page, start=state["cursor"])
        state["cursor"] = page.last
        return page

    def _settled(self, records: list[Item], state: Item) -> list[Item]:
        """Those that no generation is at work on. One that nobody settled in time counts as abandoned."""
        overdue = moments.to_text(self.now() - _OVERDUE)
        settled = [r for r in records if r["status"] != "pending" or r.get("settle_by", "") < overdue]
        state["pending"] += len(records) - len(settled)
        return settled


def _new_pass(now: datetime) -> Item:
    return {
        "began": moments.to_text(now),
        "stage": 0,
        "dataset": 0,
        "cursor": None,
        "found": 0,
        "images": 0,
        "pending": 0,
        "refused": [],
    }


def _note(erased: Erased, state: Item) -> None:
    """Names the objects that S3 would not delete, some of them: the pass will have to be repeated."""
    state["refused"] = sorted({*state["refused"], *erased.refused})[:_NAMED]
