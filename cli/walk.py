"""Every record of a deployment, day by day, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING

from imagetrail.dynamo import Expression
from imagetrail.history import BY_DAY
from imagetrail.ledger import Days

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from imagetrail.dynamo import Item
    from imagetrail.wiring import Deployment

PAGE = 500
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Slice:
    """Some records, oldest first, and how much of the walk is done with them: a share of 1."""

    records: list[Item]
    done: float


def slices(deployment: Deployment, first: datetime | None = None, last: datetime | None = None) -> Iterator[Slice]:
    """The records that were created on the UTC days from `first` to `last`, both included, of every status."""
    settings = deployment.settings
    days = sorted(Days(deployment.dynamo, settings.ledger_table).between(first, last))
    for number, day in enumerate(days):
        partition, start = Expression("#created_day = :created_day", {"created_day": day}), None
        while True:
            page = deployment.dynamo.query(
                settings.images_table, BY_DAY, partition, newest_first=False, limit=PAGE, start=start
            )
            start = page.last
            passed = 1.0 if start is None else _share_of_day(start["created_at"])
            yield Slice(page.items, (number + passed) / len(days))
            if start is None:
                break


def _share_of_day(created_at: str) -> float:
    try:
        moment = time.fromisoformat(created_at[11:26])
    except ValueError:  # written by hand
        return 0.0
    return (moment.hour * 3600 + moment.minute * 60 + moment.second) / _DAY_SECONDS
