"""What must never be counted twice or lost: the start and the end of every generation, with what it draws on.

The record names the holds it has on its accounts. Each write takes effect once, so the start may run all of them side
by side, and the end may be tried by the process itself and by the sweep. At the end the record comes first: one
conditional write decides what the generation cost, and every hold is settled by that record, whoever settles it. While
a record is pending, a hold of it that is missing was never taken.
"""

from __future__ import annotations

from concurrent.futures import Executor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from imagetrail import moments
from imagetrail.accounts import Account, Accounts, Balance, ExhaustedError
from imagetrail.allowances import DAILY, micros, rate_limit_headers
from imagetrail.aws import AwsError
from imagetrail.dynamo import ConditionFailedError, Expression, assignment
from imagetrail.errors import AccountErased, BudgetExhausted, QuotaExhausted, Unavailable
from imagetrail.records import COLUMNS, WORKING, index_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.tombstones import Tombstones

_DAYS = "days"


class AlreadySettledError(Exception):
    """The record has a final status, given by somebody else: `record` as it is now, None if it is gone."""

    def __init__(self, record: Item | None) -> None:
        super().__init__("the record is settled already")
        self.record = record


class Ledger:
    """The images table and the ledger table. `executor` runs what can run side by side."""

    def __init__(
        self, dynamo: Dynamo, images_table: str, ledger_table: str, executor: Executor, tombstones: Tombstones
    ) -> None:
        self._dynamo, self._images, self._ledger, self._executor = dynamo, images_table, ledger_table, executor
        self._tombstones = tombstones
        self.accounts = Accounts(dynamo, ledger_table, self._used)
        self._known_days: set[str] = set()

    def begin(
        self, record: Item, draws: list[tuple[Account, int]], until: datetime, now: datetime
    ) -> tuple[Item, list[Balance]]:
        """Reserves what the generation draws on, and writes the record as pending: one round trip.

        Raises AccountErased, QuotaExhausted and BudgetExhausted, and then leaves nothing behind. (What a process killed
        before that leaves of an erased account, the sweep erases.)
        """
        item = {**record, **index_keys(record), "holds": {account.id: amount for account, amount in draws} or None}
        day = record["created_at"][:10]
        reservations = [
            self._executor.submit(self.accounts.reserve, account, record["id"], amount, until, now)
            for account, amount in draws
        ]
        registration = self._executor.submit(self._register, day)
        standing = self._executor.submit(self._tombstones.check, item["owner"])
        try:
            with suppress(ConditionFailedError):  # of two identical requests whose first answer was lost
                self._dynamo.put(self._images, item, Expression("attribute_not_exists(#id)"))
            registration.result()
            standing.result()
        except Exception as error:
            wait(reservations)
            self._undo(item)
            if isinstance(error, AccountErased):
                self._forget(item)
            raise
        wait(reservations)
        refused = [done.exception() for done in reservations if done.exception() is not None]
        if refused:
            self._undo(item)
            raise _refusal(refused[0], now)
        return item, [done.result() for done in reservations]

    def _register(self, day: str) -> None:
        """Notes that this day has records: a read in each process a day, and a write in the first of them."""
        if day in self._known_days:
            return
        noted = self._dynamo.get(self._ledger, _DAYS) or {}
        if day not in noted.get("days", ()):
            self._dynamo.update(self._ledger, _DAYS, Expression("ADD #days :days", {"days": {day}}))
        self._known_days.add(day)

    def claim(self, image_id: str, *, until: datetime, now: datetime) -> Item | None:
        """A queued, pending record for the one process that may work on it, until `until`; None for all others."""
        held = self._dynamo.get(self._images, image_id, consistent=True)
        if held is None or held["status"] != "pending" or "claim" in held:
            return None
        mine = {"claim": str(uuid4()), "settle_by": moments.to_text(until)}
        free = Expression(
            "#status = :pending AND attribute_not_exists(#claim) AND #settle_by > :now",
            {"pending": "pending", "now": moments.to_text(now)},
        )
        try:
            self._dynamo.update(self._images, image_id, assignment(mine), free)
        except ConditionFailedError:
            # The answer to our own first try may have been lost.
            current = self._dynamo.get(self._images, image_id, consistent=True) or {}
            if current.get("claim") != mine["claim"]:
                return None
        return {**dict.fromkeys(COLUMNS), **held, **mine}

    def settle(self, pending: Mapping[str, Any], outcome: Mapping[str, Any], *, leftovers: bool = False) -> Item:
        """Gives a pending record its final status, and then its holds their end. Returns the whole record.

        `outcome` holds the columns that are known now. `leftovers` keeps the record in the sweep's sight because its
        objects could not be deleted. Raises AlreadySettledError, also if the record was claimed since it was read.
        """
        record = {**pending, **outcome}
        changed = {column: record[column] for column in COLUMNS if record.get(column) != pending.get(column)}
        changes = {**changed, **index_keys(record), **dict.fromkeys(WORKING)}
        del changes["owner"], changes["created_day"]
        if leftovers:
            del changes["unsettled"]
        as_read = Expression(
            "#status = :pending AND #settle_by = :settle_by", {"pending": "pending", "settle_by": pending["settle_by"]}
        )
        try:
            self._dynamo.update(self._images, record["id"], assignment(changes), as_read)
        except ConditionFailedError:
            current = self._dynamo.get(self._images, record["id"], consistent=True)
            if current is None or any(current.get(column) != value for column, value in changed.items()):
                raise AlreadySettledError(current) from None
            # The first of two identical requests got through, and its answer was lost.
        self._release(pending, record)
        return record

    def was_started(self, pending: Mapping[str, Any]) -> bool:
        """Whether all reservations of a pending record were made; before that its model is never asked."""
        return all(self.accounts.is_held(account, pending["id"]) for account in pending.get("holds") or ())

    def _release(self, item: Mapping[str, Any], final: Mapping[str, Any]) -> None:
        """Settles an item's holds by its final record. What cannot be settled now is settled when it is overdue."""
        wait(
            self._executor.submit(self.accounts.settle, account, item["id"], int(amount), _share(account, final))
            for account, amount in (item.get("holds") or {}).items()
        )

    def _undo(self, item: Item) -> None:
        """Takes a refused start back. What cannot be taken back now is settled later, by the sweep or by its hold."""
        self._release(item, {"status": "failed", "cost_usd": 0})
        with suppress(ConditionFailedError, Unavailable, AwsError):
            self._dynamo.delete(self._images, item["id"], Expression("#status = :pending", {"pending": "pending"}))

    def _forget(self, item: Item) -> None:
        """Removes the counters that a refused start has made for an owner of whom nothing is to be left."""
        for account in item["holds"] or ():
            if account.startswith(DAILY):
                with suppress(ConditionFailedError, Unavailable):
                    self._dynamo.delete(self._ledger, account, Expression("#used = :nothing", {"nothing": 0}))

    def _used(self, account_id: str, hold: str) -> int | None:
        """What a hold's record used, None while it is pending. One that is gone was taken back, or erased uncharged."""
        record = self._dynamo.get(self._images, hold, consistent=True)
        if record is None:
            return 0
        return None if record["status"] == "pending" else _share(account_id, record)


def _share(account_id: str, record: Mapping[str, Any]) -> int:
    """What a finished generation used of an account: an image of a quota, its cost of a budget."""
    if account_id.startswith(DAILY):
        return int(record["status"] == "succeeded")
    return micros(record.get("cost_usd") or 0)


def _refusal(error: BaseException | None, now: datetime) -> BaseException:
    if not isinstance(error, ExhaustedError):
        return error or RuntimeError("a reservation failed without an error")
    account = error.balance.account
    seconds = int((account.resets_at - now).total_seconds()) + 1
    if account.id.startswith(DAILY):
        return QuotaExhausted(
            f"The {account.limit} images of this day are used up. A new day begins at midnight UTC.",
            retry_after=seconds,
            headers=rate_limit_headers([error.balance], now),
        )
    return BudgetExhausted(
        "This deployment has spent its budget of the month. A new month begins at midnight UTC.", retry_after=seconds
    )


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

    def note(self, day: str) -> None:
        """Notes that a day has records; to note it again changes nothing."""
        self._dynamo.update(self._ledger, _DAYS, Expression("ADD #days :days", {"days": {day}}))
