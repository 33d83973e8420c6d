"""Counters that are spent and given back: images of a caller's day, dollars of the deployment's month.

An account is one item. A reservation adds to what is used, if there is room, and leaves a hold under its own name; to
settle replaces the hold by what was really used. Both are single conditional writes that take effect once, however
often they are sent and however many run at once, so that a reservation is never counted twice and a refund never given
twice. A hold whose process was killed before it could settle outlives its `until`, and is settled by its record as soon
as its room is needed, or by the sweep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item

_HOLD = "hold "


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """So much of something until a moment: `limit` counts images, or millionths of a dollar."""

    id: str
    limit: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """An account as it stands: what is left of it, never below 0."""

    account: Account
    used: int

    @property
    def left(self) -> int:
        """What can still be reserved."""
        return max(self.account.limit - self.used, 0)


class ExhaustedError(Exception):
    """There is no room for a reservation."""

    def __init__(self, balance: Balance) -> None:
        super().__init__("the account is exhausted")
        self.balance = balance


class Accounts:
    """The accounts in the ledger table. `outcome` tells what a finished hold really used, None while it runs."""

    def __init__(self, dynamo: Dynamo, table: str, outcome: Callable[[str, str], int | None]) -> None:
        self._dynamo, self._table, self._outcome = dynamo, table, outcome

    def balance(self, account: Account) -> Balance:
        """One read."""
        return Balance(account, int((self._dynamo.get(self._table, account.id) or {}).get("used", 0)))

    def reserve(self, account: Account, hold: str, amount: int, until: datetime, now: datetime) -> Balance:
        """Takes `amount`. Raises ExhaustedError. One write, unless the account is full."""
        if amount > account.limit:
            raise ExhaustedError(self.balance(account))
        for _ in range(2):
            try:
                return self._reserve(account, hold, amount, until)
            except ConditionFailedError:
                item: Item = self._dynamo.get(self._table, account.id, consistent=True) or {}
            if f"{_HOLD}{hold}" in item:
                # The first of two identical requests got through, and its answer was lost.
                return Balance(account, int(item["used"]))
            if not self._settle_abandoned(account.id, item, now):
                break
        raise ExhaustedError(self.balance(account))

    def is_held(self, account_id: str, hold: str) -> bool:
        """Whether this reservation was made, and is not settled yet. One read."""
        return f"{_HOLD}{hold}" in (self._dynamo.get(self._table, account_id, consistent=True) or {})

    def settle_overdue(self, account_id: str, now: datetime) -> None:
        """Settles the holds of an account whose time is over and whose outcome is known."""
        self._settle_abandoned(account_id, self._dynamo.get(self._table, account_id, consistent=True) or {}, now)

    def settle(self, account_id: str, hold: str, amount: int, used: int) -> None:
        """Replaces a hold of `amount` by what was really used. Settling twice is settling once."""
        change = Expression("ADD #used :change REMOVE #hold", {"change": used - amount}, {"hold": f"{_HOLD}{hold}"})
        held = Expression("attribute_exists(#hold)", {}, {"hold": f"{_HOLD}{hold}"})
        try:
            self._dynamo.update(self._table, account_id, change, held)
        except ConditionFailedError:
            return

    def _reserve(self, account: Account, hold: str, amount: int, until: datetime) -> Balance:
        names = {"hold": f"{_HOLD}{hold}"}
        change = Expression(
            "ADD #used :amount SET #hold = :held, #expires_at = :expires",
            {
                "amount": amount,
                "held": {"amount": amount, "until": moments.to_text(until)},
                "expires": int(account.resets_at.timestamp()) + 7 * 86_400,
            },
            names,
        )
        room = Expression(
            "attribute_not_exists(#hold) AND (attribute_not_exists(#used) OR #used <= :room)",
            {"room": account.limit - amount},
            names,
        )
        return Balance(account, int(self._dynamo.update(self._table, account.id, change, room)["used"]))

    def _settle_abandoned(self, account_id: str, item: Item, now: datetime) -> bool:
        """Settles the holds whose time is over. Whether there were any."""
        moment = moments.to_text(now)
        found = False
        for name, held in item.items():
            if not name.startswith(_HOLD) or held["until"] > moment:
                continue
            hold = name.removeprefix(_HOLD)
            used = self._outcome(account_id, hold)
            if used is not None:
                self.settle(account_id, hold, int(held["amount"]), used)
                found = True
        return found
