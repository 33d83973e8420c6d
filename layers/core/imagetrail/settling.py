"""The sweep: final statuses for generations whose process was killed before it could write one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail import moments, prices, provenance
from imagetrail.allowances import budgets
from imagetrail.dynamo import ConditionFailedError, Expression, assignment
from imagetrail.errors import Unavailable
from imagetrail.ledger import AlreadySettledError
from imagetrail.records import UNSETTLED, image_key, stored, thumbnail_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.ledger import Ledger
    from imagetrail.s3 import Bucket
    from imagetrail.tombstones import Tombstones
    from imagetrail.versions import Versions

_INDEX = "idx_generated_images_unsettled"
_INTERRUPTED = f"{Unavailable.code}: The process was stopped before it could finish."
_FORGOTTEN = f"{Unavailable.code}: It waited too long in the queue."


@dataclass(slots=True)
class Tally:
    """What one sweep did. `poisoned` holds the ids of records that it could not settle, with the reason's type."""

    succeeded: int = 0
    failed: int = 0
    cleaned: int = 0
    poisoned: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Settles every record that is past its `settle_by`."""

    dynamo: Dynamo
    images_table: str
    ledger: Ledger
    bucket: Bucket
    tombstones: Tombstones
    versions: Versions
    now: Callable[[], datetime] = moments.utc_now

    def run(self) -> Tally:
        """One pass over all that is overdue. Raises Unavailable; a record that cannot be settled stops no other.

        After it the budget has used what the records of the month cost, and holds what is pending.
        """
        tally = Tally()
        for image_id in self._overdue():
            try:
                self._settle(image_id, tally)
            except Unavailable:
                raise
            except Exception as error:
                tally.poisoned = {**(tally.poisoned or {}), image_id: type(error).__name__}
        for budget in budgets(self.now()):
            self.ledger.accounts.settle_overdue(budget, self.now())
        return tally

    def _overdue(self) -> Iterator[str]:
        due = Expression(
            "#unsettled = :unsettled AND #settle_by < :now",
            {"unsettled": UNSETTLED, "now": moments.to_text(self.now())},
        )
        start = None
        while True:
            page = self.dynamo.query(self.images_table, _INDEX, due, newest_first=False, limit=100, start=start)
            yield from (key["id"] for key in page.items)
            if (start := page.last) is None:
                return

    def _settle(self, image_id: str, tally: Tally) -> None:
        record = self.dynamo.get(self.images_table, image_id, consistent=True)
        if record is None or "unsettled" not in record or record["settle_by"] >= moments.to_text(self.now()):
            return
        with suppress(AlreadySettledError):
            if self.tombstones.stands(record["owner"]):
                self._erase(record)
                tally.cleaned += 1
            elif record["status"] != "pending":
                self._clean(record)
                tally.cleaned += 1
            elif (outcome := self._salvage(record)) is not None:
                self.ledger.settle(record, outcome)
                tally.succeeded += 1
            else:
                self._fail(record)
                tally.failed += 1

    def _erase(self, record: Item) -> None:
        """Leaves nothing of a record whose owner's account is gone, but what it may have cost in the budget."""
        if record["status"] == "pending":
            self._fail(record)
        if not self.versions.erase([image_key(record), thumbnail_key(record)]).refused:
            self.dynamo.delete_many(self.images_table, [record["id"]])

    def _fail(self, record: Item) -> None:
        """What was not claimed or not fully reserved was never asked for; the rest may have been paid for."""
        unclaimed = record.get("queued") and "claim" not in record
        charged = not unclaimed and self.ledger.was_started(record)
        self.ledger.settle(
            record,
            {
                "status": "failed",
                "error": _FORGOTTEN if unclaimed else _INTERRUPTED,
                "cost_usd": prices.stamp(record, record["model"]) if charged else 0.0,
            },
            leftovers=True,
        )
        self._clean(record)

    def _salvage(self, record: Item) -> Item | None:
        """A picture that was paid for and stored before the process ended is kept."""
        data = self.bucket.get(image_key(record))
        if data is None or self.bucket.get(thumbnail_key(record)) is None:
            return None
        try:
            embedded = provenance.extract(data)
        except provenance.NoProvenance:
            return None
        return {**embedded, **stored(record, data)} if embedded.get("id") == record["id"] else None

    def _clean(self, record: Item) -> None:
        self._delete_objects(record)
        done = assignment({"unsettled": None, "settle_by": None})
        with suppress(ConditionFailedError):
            self.dynamo.update(self.images_table, record["id"], done, Expression("attribute_exists(#id)"))

    def _delete_objects(self, record: Item) -> None:
        self.bucket.delete(image_key(record))
        self.bucket.delete(thumbnail_key(record))
