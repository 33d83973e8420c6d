"""Tombstones: what is being erased, or just was, so that nothing of it begins anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.callers import ANONYMOUS_OWNER
from imagetrail.errors import AccountErased

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.dynamo import Dynamo

KEPT = timedelta(hours=24)
"""How long a tombstone outlives its job: the longest life that Cognito gives a token."""


def tombstone(subject: str) -> str:
    """The ledger's key for the tombstone of an owner (`user:alice`) or a dataset (`dataset:…`)."""
    return f"tombstone {subject}"


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Read by whoever begins something for an owner; written by the jobs that they belong to."""

    dynamo: Dynamo
    table: str
    now: Callable[[], datetime] = moments.utc_now

    def check(self, owner: str) -> None:
        """Raises AccountErased. One consistent read, none for those without an account."""
        if self.stands(owner):
            raise AccountErased(
                "This account is being erased, or was within the last day: nothing new can be made with it."
            )

    def stands(self, owner: str) -> bool:
        """Whether there is a tombstone for this owner."""
        if owner == ANONYMOUS_OWNER:
            return False
        found = self.dynamo.get(self.table, tombstone(owner), consistent=True)
        # DynamoDB may delete an expired item days late: a new account under the same id is not to wait for that.
        return found is not None and found.get("expires_at", float("inf")) > self.now().timestamp()
