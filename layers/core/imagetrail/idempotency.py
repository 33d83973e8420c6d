"""Requests that take effect once, however often they are sent under one Idempotency-Key.

An item of the ledger leads from a key to the image that its request began, and is written before that. What came of the
request is read from the image's record alone. A key is free again as soon as its image has failed without taking money,
in whatever process and however late, or was never begun by a process that is gone.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from imagetrail import moments
from imagetrail.aws import AwsError
from imagetrail.dynamo import ConditionFailedError, Expression
from imagetrail.errors import InProgress, KeyReused, Unavailable
from imagetrail.records import is_free

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.dynamo import Dynamo, Item

KEPT = timedelta(hours=24)
_GRACE = timedelta(seconds=5)
"""How much longer than its time a process is taken to be alive: functions are stopped late, and clocks differ."""
_ATTEMPTS = 3
_OWN = "#image_id = :image_id"

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier request under the same key began: the record as it is now, None if it is gone."""

    image_id: str
    record: Item | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyGuard:
    """The keys in the ledger table.

    Body and key are kept as SHA-256 only, the key together with its owner: the keys of two callers never meet.
    """

    dynamo: Dynamo
    images_table: str
    ledger_table: str
    now: Callable[[], datetime] = moments.utc_now
    new_id: Callable[[datetime], str] = moments.new_id

    def run(
        self, owner: str, key: str, body: str, time_left: timedelta, begin: Callable[[str], Outcome]
    ) -> Outcome | Earlier:
        """What `begin` gives, which makes the key's image under the id it is passed; or what was begun earlier.

        `time_left` is how long this process can go on at most. When `begin` raises and has certainly taken no money,
        the key is free. Raises InProgress, KeyReused, Unavailable, and what `begin` raises.
        """
        attempt = self._claim(f"attempt {_digest(owner, key)}", _digest(body), time_left)
        if isinstance(attempt, Earlier):
            return attempt
        try:
            outcome = begin(attempt["image_id"])
        except Exception:
            with suppress(Unavailable, AwsError):  # whoever sends the key next finds out
                self._close(attempt)
            raise
        self._confirm(attempt)
        return outcome

    def _claim(self, name: str, body: str, time_left: timedelta) -> Item | Earlier:
        """The item of a new attempt, or what an earlier one began. Raises InProgress and KeyReused."""
        now = self.now()
        mine: Item = {
            "id": name,
            "image_id": self.new_id(now),
            "body": body,
            "alive_until": moments.to_text(now + time_left + _GRACE),
            "expires_at": int((now + KEPT).timestamp()),
        }
        free = Expression("attribute_not_exists(#id) OR #expires_at < :now", {"now": int(now.timestamp())})
        for _ in range(_ATTEMPTS):
            try:
                self.dynamo.put(self.ledger_table, mine, free)
            except ConditionFailedError:
                held = self.dynamo.get(self.ledger_table, name, consistent=True)
            else:
                return mine
            if held is None:
                continue
            if held["image_id"] == mine["image_id"]:  # the answer to our own first try was lost
                return mine
            if (earlier := self._earlier(held, body)) is not None:
                return earlier
            free = Expression(f"attribute_not_exists(#id) OR {_OWN}", {"image_id": held["image_id"]})
        raise InProgress

    def _earlier(self, held: Item, body: str) -> Earlier | None:
        """What the attempt that holds a key began, None if the key is free. Raises InProgress and KeyReused."""
        record = self.dynamo.get(self.images_table, held["image_id"], consistent=True)
        is_alive = held.get("alive_until", "") > moments.to_text(self.now())
        if record is None and not held.get("confirmed"):
            if is_alive:
                raise InProgress
            return None
        if record is not None and is_free(record):
            return None
        if held["body"] != body:
            raise KeyReused
        if record is not None and record["status"] == "pending" and not record.get("queued"):
            if is_alive:
                raise InProgress
            raise InProgress("A request with this Idempotency-Key broke off; its outcome is being settled.")
        return Earlier(held["image_id"], record)

    def _close(self, attempt: Item) -> None:
        """Frees the key of an attempt that raised, unless it has taken money, or may have."""
        record = self.dynamo.get(self.images_table, attempt["image_id"], consistent=True)
        if record is None or is_free(record):
            with suppress(ConditionFailedError):
                own = Expression(_OWN, {"image_id": attempt["image_id"]})
                self.dynamo.delete(self.ledger_table, attempt["id"], own)
        elif record["status"] != "pending":
            self._confirm(attempt)

    def _confirm(self, attempt: Item) -> None:
        """Notes that the image was begun: the key stands for it even when it is gone."""
        confirmed = Expression("SET #confirmed = :yes", {"yes": True})
        own = Expression(_OWN, {"image_id": attempt["image_id"]})
        with suppress(ConditionFailedError, Unavailable, AwsError):  # while there is a record, it leads to it anyway
            self.dynamo.update(self.ledger_table, attempt["id"], confirmed, own)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
