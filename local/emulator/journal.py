"""DynamoDB items on disk: one log of after-images, from which the tables are rebuilt.

The emulator keeps items in memory and can only save all of them at once, which takes seconds where
a write takes microseconds. Here every request that changed items appends one line before it is
answered: a JSON array of `[table id, partition key, sort key, item or null]`. One line per request
keeps a transaction whole, and a last line cut short by a kill is as if it had never been sent.
"""

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

Change = tuple[str, str, str, dict[str, Any] | None]
Items = dict[str, dict[tuple[str, str], dict[str, Any]]]

COMPACT_WHEN = 2  # changes per living item, at start


class DamagedJournalError(Exception):
    """A line in the middle of the journal cannot be read."""


class Journal:
    """The log, replayed when it is opened and appended to from then on."""

    def __init__(self, path: Path) -> None:
        self._pending: list[Change] = []
        self._items, changes = _replay(path)
        if changes > COMPACT_WHEN * max(1, sum(map(len, self._items.values()))):
            _rewrite(path, self._items)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size

    def fill(self, tables: list[dict[str, Any]]) -> None:
        """Puts the recorded items into restored tables. What belonged to any other table is forgotten."""
        for table in tables:
            items: defaultdict[str, dict[str, Any]] = defaultdict(dict)
            for (partition, sort), item in self._items.pop(table["TableId"], {}).items():
                items[partition][sort] = item
            table["items"] = items
        self._items = {}

    def follow(self, dynamodb: Any) -> None:
        """Records every change that the emulator's DynamoDB module makes from now on."""
        put, remove, replaced = dynamodb._set_item, dynamodb._remove_item, dynamodb._items_replaced
        handle: Callable[..., Any] = dynamodb.handle_request

        def set_item(table: dict[str, Any], partition: str, sort: str, item: dict[str, Any]) -> Any:
            old = put(table, partition, sort, item)
            self._pending.append((table["TableId"], partition, sort, item))
            return old

        def remove_item(table: dict[str, Any], partition: str, sort: str) -> Any:
            old = remove(table, partition, sort)
            if old is not None:
                self._pending.append((table["TableId"], partition, sort, None))
            return old

        def items_replaced(table: dict[str, Any]) -> None:
            replaced(table)
            kept = [change for change in self._pending if change[0] != table["TableId"]]
            self._pending = kept + [
                (table["TableId"], partition, sort, item)
                for partition, sorted_items in table["items"].items()
                for sort, item in sorted_items.items()
            ]

        async def handle_request(*request: Any) -> Any:
            try:
                return await handle(*request)
            finally:
                self.flush()

        dynamodb._set_item, dynamodb._remove_item = set_item, remove_item
        dynamodb._items_replaced, dynamodb.handle_request = items_replaced, handle_request

    def flush(self) -> None:
        """Writes what changed since the last call; what expired in between is among it."""
        count = len(self._pending)
        if not count:
            return
        line = orjson.dumps(self._pending[:count]) + b"\n"
        if os.write(self._file, line) != len(line):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, "the disk is full")
        self._size += len(line)
        del self._pending[:count]  # and not what another thread has added meanwhile


def _replay(path: Path) -> tuple[Items, int]:
    """The living items per table id, and the number of changes read. Cuts off an unfinished last line."""
    items: Items = defaultdict(dict)
    count = 0
    if not path.exists():
        return items, count
    with path.open("r+b") as file:
        whole = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            for table, partition, sort, item in _changes(line, path, number):
                count += 1
                if item is None:
                    items[table].pop((partition, sort), None)
                else:
                    items[table][partition, sort] = item
            whole += len(line)
        file.truncate(whole)
    return items, count


def _changes(line: bytes, path: Path, number: int) -> Iterator[Change]:
    try:
        yield from orjson.loads(line)
    except ValueError as error:
        raise DamagedJournalError(f"{path}, line {number}: {error}") from error


def _rewrite(path: Path, items: Items) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        for table, table_items in items.items():
            for (partition, sort), item in table_items.items():
                file.write(orjson.dumps([[table, partition, sort, item]]) + b"\n")
    fresh.replace(path)
