"""What the tests of the fold share: records in the table, the truth counted by hand, and folds that break."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.analytics.folding import Fold
from imagetrail.analytics.lake import Lake
from imagetrail.analytics.store import Store
from imagetrail.analytics.terms import terms
from imagetrail.dynamo import Dynamo, Expression
from imagetrail.ledger import Days
from imagetrail.records import index_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imagetrail.analytics.lake import Lake as AnyLake
    from imagetrail.wiring import Deployment

Record = dict[str, Any]
SETTINGS = ("style", "aspect_ratio", "resolution", "quality", "format")
_EPOCHS = count(random.SystemRandom().randrange(80_000))


def fresh_days(length: int) -> date:
    """The first of some days that no other test uses, nor the range before them."""
    return date(2100, 1, 1) + timedelta(days=next(_EPOCHS) * 3 * length % 300_000)


class Trail:
    """Records as the rest of the service writes them: whole, with their index keys, each change told to the fold."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.records: dict[str, Record] = {}

    def write(self, record: Record, **raw: Any) -> Record:
        """Puts a record; `raw` are attributes that stand in the table as they are."""
        self.records[record["id"]] = record
        item = {**record, **index_keys(record), **raw}
        self.deployment.dynamo.put(
            self.deployment.settings.images_table,
            item,
            Expression("attribute_not_exists(#id) OR attribute_exists(#id)"),
        )
        self.touch(record)
        return record

    def delete(self, image_id: str) -> None:
        """Deletes a record for good."""
        record = self.records.pop(image_id)
        table = self.deployment.settings.images_table
        self.deployment.dynamo.delete(table, image_id, Expression("attribute_exists(#id)"))
        self.touch(record)

    def touch(self, record: Record) -> None:
        """What the stream tells of a change."""
        image = {"created_day": {"S": record["created_at"][:10]}}
        self.deployment.fold.touch({"Records": [{"dynamodb": {"OldImage": image}}]})


def record(moment: datetime, **columns: Any) -> Record:
    """A record with the usual columns."""
    return {
        "id": moments.new_id(moment),
        "user_id": None,
        "prompt": "a red fox",
        "aspect_ratio": "1:1",
        "quality": "standard",
        "format": "png",
        "resolution": "1K",
        "created_at": moments.to_text(moment),
        "status": "succeeded",
        "model": "procedural",
        "favorite": False,
        **columns,
    }


def at(day: date, seconds: int = 0) -> datetime:
    """A moment of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)


def counted(records: Iterable[Record], report: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """A report's figures, counted record by record."""
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for one in records:
        for key in _keys(one, report):
            groups[key].append(one)
    return {key: _figures(members) for key, members in groups.items()}


def _keys(one: Record, report: str) -> set[tuple[Any, ...]]:
    match report:
        case "volume":
            return {(one["created_at"][:10],)}
        case "users" | "quotas":
            return {(one.get("user_id"),)}
        case "datasets":
            return {(one["dataset_id"],)} if one.get("dataset_id") else set()
        case "visual-elements":
            return {(element,) for element in one.get("unique_visual_elements") or ()}
        case "prompts":
            return {(term,) for term in terms(one.get("prompt") or "")}
        case "settings":
            return {(name, one[name]) for name in SETTINGS if one.get(name) is not None}
        case "models":
            return {(one.get("model") or "",)}
        case "failures" if one["status"] in ("failed", "blocked"):
            return {((one.get("error") or "unknown").split(":")[0], one.get("model") or "")}
    return set()


def _figures(members: list[Record]) -> dict[str, Any]:
    kept = [one for one in members if one["status"] == "succeeded" and not one.get("deleted_at")]
    return {
        "records": len(members),
        "images": sum(one["status"] == "succeeded" for one in members),
        "kept": len(kept),
        "favorites": sum(bool(one.get("favorite")) for one in kept),
        "regenerations": sum(one.get("parent_id") is not None for one in members),
        "failed": sum(one["status"] == "failed" for one in members),
        "blocked": sum(one["status"] == "blocked" for one in members),
        "pending": sum(one["status"] == "pending" for one in members),
        "cost_usd": float(sum(Decimal(str(one.get("cost_usd") or 0)) for one in members)),
    }


def fold_with(
    deployment: Deployment, *, dynamo: Dynamo | None = None, lake: AnyLake | None = None, **seams: Any
) -> Fold:
    """The deployment's fold, some parts of it replaced."""
    settings, dynamo = deployment.settings, dynamo or deployment.dynamo
    return Fold(
        dynamo=dynamo,
        images_table=settings.images_table,
        store=Store(dynamo, settings.reports_table),
        lake=lake or Lake(deployment.bucket),
        days=Days(dynamo, settings.ledger_table),
        **seams,
    )


class Killed(BaseException):
    """The process ends here."""


class DyingDynamo(Dynamo):
    """Is killed before the call that is the `last` and one."""

    def __init__(self, real: Dynamo, last: int) -> None:
        super().__init__(real._endpoint)
        self._left = last

    def _call(self, operation: str, request: Any) -> dict[str, Any]:
        if self._left == 0:
            raise Killed
        self._left -= 1
        return super()._call(operation, request)
