"""The trash on a schedule: pixels follow their records, edges forget, and what had its thirty days goes for good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imagetrail import moments
from imagetrail.dynamo import ConditionFailedError, Expression, assignment
from imagetrail.errors import Unavailable
from imagetrail.trash import HIDE, KEPT, PURGE, PURGING, SHOW, find_markers, find_pixels, hide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor
    from datetime import datetime, timedelta

    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.edge import Edge
    from imagetrail.s3 import Bucket

INDEX = "idx_generated_images_trash"
_BATCH = 1000


@dataclass(slots=True)
class Emptied:
    """What one run did. `poisoned` names what it could not do, by record or `edge`, with the type of the error."""

    hidden: int = 0
    shown: int = 0
    purged: int = 0
    poisoned: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptying:
    """Takes every step of the trash that is due. Each may be cut off anywhere and taken again."""

    dynamo: Dynamo
    table: str
    bucket: Bucket
    edge: Edge
    executor: Executor
    now: Callable[[], datetime] = moments.utc_now

    def run(self, time_left: timedelta) -> Emptied:
        """What somebody waits for first, then the purge, for as long as there is time. Raises Unavailable."""
        done, deadline = Emptied(), self.now() + time_left

        def purge(key: Item) -> bool:
            return self.now() < deadline and self._purge(key)

        for keys in self._due(SHOW):
            done.shown += self._each(keys, self._show, done)
        for keys in self._due(HIDE):
            done.hidden += self._hide(keys, done)
        for step in (PURGING, PURGE):
            for keys in self._due(step):
                done.purged += self._each(keys, purge, done)
        return done

    def _due(self, step: str) -> Iterator[list[Item]]:
        due = Expression("#trash = :trash AND #trash_due <= :now", {"trash": step, "now": moments.to_text(self.now())})
        start = None
        while True:
            page = self.dynamo.query(self.table, INDEX, due, newest_first=False, limit=_BATCH, start=start)
            yield page.items
            if (start := page.last) is None:
                return

    def _each(self, keys: list[Item], take: Callable[[Item], bool], done: Emptied) -> int:
        """Takes a step for each, some side by side. One that fails by itself stops no other."""

        def attempt(key: Item) -> bool:
            try:
                return take(key)
            except Unavailable:
                raise
            except Exception as error:
                done.poisoned[key["id"]] = type(error).__name__
                return False

        return sum(self.executor.map(attempt, keys))

    def _show(self, key: Item) -> bool:
        markers = find_markers(self.bucket, key["id"])  # before the record is read, as in Trash.restore
        record = self._current(key)
        if record is None:
            return False
        for marker in markers:
            self.bucket.delete_version(marker)
        return self._advance(record, {"trash": None, "trash_due": None})

    def _hide(self, keys: list[Item], done: Emptied) -> int:
        hidden: list[Item] = []

        def take(key: Item) -> bool:
            record = self._current(key)
            if record is not None:
                hide(self.bucket, record)
                hidden.append(record)
            return record is not None

        self._each(keys, take, done)
        try:
            self.edge.forget(
                [record[url] for record in hidden for url in ("image_url", "thumbnail_url") if record.get(url)],
                because=[f"{record['id']} {record['deleted_at']}" for record in hidden],
            )
        except Exception as error:
            done.poisoned["edge"] = type(error).__name__
            return 0

        def advance(record: Item) -> bool:
            return self._advance(record, {"trash": PURGE, "trash_due": _over(record)})

        return self._each(hidden, advance, done)

    def _purge(self, key: Item) -> bool:
        """Claims the record first, so that nobody restores what is half gone."""
        record = self._current(key)
        if record is None or (record["trash"] == PURGE and not self._advance(record, {"trash": PURGING})):
            return False
        for version in find_pixels(self.bucket, record["id"]):
            self.bucket.delete_version(version)
        try:
            self.dynamo.delete(self.table, record["id"], Expression("#trash = :trash", {"trash": PURGING}))
        except ConditionFailedError:
            return False
        return True

    def _current(self, key: Item) -> Item | None:
        """The record, if the step that the index named is still to be taken."""
        record = self.dynamo.get(self.table, key["id"], consistent=True)
        named = record is not None and all(record.get(name) == key[name] for name in ("trash", "trash_due"))
        return record if named else None

    def _advance(self, record: Item, changes: Item) -> bool:
        same = Expression(
            "#trash = :was AND #trash_due = :was_due", {"was": record["trash"], "was_due": record["trash_due"]}
        )
        try:
            self.dynamo.update(self.table, record["id"], assignment(changes), same)
        except ConditionFailedError:
            return False
        return True


def _over(record: Item) -> str:
    return moments.to_text(moments.from_text(record["deleted_at"]) + KEPT)
