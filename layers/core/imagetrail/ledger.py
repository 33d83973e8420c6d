"""What must never be counted twice or lost: the start and the end of every generation, with its quota.

Both are transactions of the record and the caller's quota of the day, so a reservation is taken exactly with its
record and given back exactly with its failure, however often either is tried.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression, assignment, put, update
from imagetrail.errors import QuotaExhausted
from imagetrail.records import COLUMNS, index_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item

_DAYS = "days"
_KEEP_QUOTAS = timedelta(days=3)


class AlreadySettledError(Exception):
    """The record has a final status, given by somebody else: `record` as it is now, None if it is gone."""

    def __init__(self, record: Item | None) -> None:
        super().__init__("the record is settled already")
        self.record = record


class Ledger:
    """The images table and the ledger table, written together."""

    def __init__(self, dynamo: Dynamo, images_table: str, ledger_table: str, user_daily_quota: int) -> None:
        self._dynamo, self._images, self._ledger = dynamo, images_table, ledger_table
        self._user_daily_quota = user_daily_quota
        self._known_days: set[str] = set()

    def begin(self, record: Item, now: datetime) -> Item:
        """Reserves one image of the user's quota and writes the record as pending. Raises QuotaExhausted."""
        day = record["created_at"][:10]
        item = {**record, **index_keys(record), "reservation": self._reservation(record, day)}
        writes = [put(self._images, item, Expression("attribute_not_exists(#id)"))]
        if item["reservation"]:
            expires = int((now + _KEEP_QUOTAS).timestamp())
            writes.append(
                update(
                    self._ledger,
                    item["reservation"],
                    Expression("ADD #used :one SET #expires_at = :expires", {"one": 1, "expires": expires}),
                    Expression("attribute_not_exists(#used) OR #used < :quota", {"quota": self._user_daily_quota}),
                )
            )
        self._register(day)
        try:
            self._dynamo.transact(writes)
        except ConditionFailedError:
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            raise QuotaExhausted(
                f"Your {self._user_daily_quota} images of today are used up. A new day begins at midnight UTC.",
                retry_after=int((midnight - now).total_seconds()) + 1,
            ) from None
        return item

    def _register(self, day: str) -> None:
        """Notes that this day has records: a read in each process a day, and a write in the first of them."""
        if day in self._known_days:
            return
        noted = self._dynamo.get(self._ledger, _DAYS) or {}
        if day not in noted.get("days", ()):
            self._dynamo.update(self._ledger, _DAYS, Expression("ADD #days :days", {"days": {day}}))
        self._known_days.add(day)

    def settle(self, pending: Mapping[str, Any], outcome: Mapping[str, Any], *, leftovers: bool = False) -> Item:
        """Gives a pending record its final status and returns the whole record.

        `outcome` holds the columns that are known now. A reservation is given back unless the image succeeded.
        `leftovers` keeps the record in the sweep's sight because its objects could not be deleted.
        Raises AlreadySettledError.
        """
        record = {**pending, **outcome}
        changed = {column: record[column] for column in COLUMNS if record.get(column) != pending.get(column)}
        changes = {**changed, **index_keys(record), "reservation": None}
        del changes["owner"], changes["created_day"]
        if leftovers:
            del changes["unsettled"]
        still_pending = Expression("#status = :pending", {"pending": "pending"})
        writes = [update(self._images, record["id"], assignment(changes), still_pending)]
        if pending.get("reservation") and record["status"] != "succeeded":
            refund = Expression("ADD #used :back", {"back": -1})
            writes.append(update(self._ledger, pending["reservation"], refund))
        try:
            self._dynamo.transact(writes)
        except ConditionFailedError:
            current = self._dynamo.get(self._images, record["id"], consistent=True)
            raise AlreadySettledError(current) from None
        return record

    def _reservation(self, record: Mapping[str, Any], day: str) -> str | None:
        if record.get("user_id") is None or not self._user_daily_quota:
            return None
        return f"quota {day} user:{record['user_id']}"


class Days:
    """The days that have records at all, so that a walk through all of time passes over the empty ones."""

    def __init__(self, dynamo: Dynamo, ledger_table: str) -> None:
        self._dynamo, self._ledger = dynamo, ledger_table

    def between(self, first: datetime | None, last: datetime | None) -> list[str]:
        """The days with records, in no order, that a range touches. One read."""
        known = (self._dynamo.get(self._ledger, _DAYS) or {}).get("days", set())
        low = moments.to_text(first)[:10] if first else ""
        high = moments.to_text(last)[:10] if last else "9999-12-31"
        return [day for day in known if low <= day <= high]
