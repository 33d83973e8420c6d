"""DynamoDB items on disk: one log of after-images, from which the tables are rebuilt.

The emulator keeps items in memory and can only save all of them at once, which takes seconds where
a write takes microseconds. Here every request that changed items appends one line before it is
answered: a JSON array of `[table id, partition key, sort key, item or null]`. One line per request
keeps a transaction whole, and a last line cut short by a kill is as if it had never been sent.

Each line begins with the CRC-32 of its JSON, in eight hexadecimal digits, and the first line names the journal and the
position at which it begins. Positions count bytes, and go on when the journal is compacted: so the snapshot, which
notes one, tells a journal that lost its end from one that is whole. Journals of before had neither.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import orjson

from local.emulator.disk import Disk
from local.problem import ProblemError

Change = tuple[str, str, str, dict[str, Any] | None]
Items = dict[str, dict[tuple[str, str], dict[str, Any]]]

COMPACT_WHEN = 2  # changes per living item, at start
REMEDY = "Restore the data folder from a backup, or move it away to begin with an empty history."


class DamagedJournalError(ProblemError):
    """The journal is not what was written."""


@dataclass(frozen=True)
class Position:
    """A place in one journal: what a snapshot was taken at."""

    journal: str
    position: int


class Journal:
    """The log, replayed when it is opened and appended to from then on. Raises DamagedJournalError."""

    def __init__(self, path: Path, disk: Disk, expected: Position | None = None) -> None:
        self._disk = disk
        self._pending: list[Change] = []
        read = _Reader(path)
        self._items, changes = read.items()
        _check(path, read, expected)
        if path.exists():
            os.truncate(path, read.size)  # without an unfinished last line
        start = read.start
        self.was_rewritten = False
        if start is None or changes > COMPACT_WHEN * max(1, sum(map(len, self._items.values()))):
            start = _rewrite(path, self._items, read)
            self.was_rewritten = True
        self._start = start
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._size = os.fstat(self._file).st_size
        self._synced = self._size

    def append(self, change: Change) -> None:
        """Records a change of a service that is stopped. Raises OSError."""
        self._pending.append(change)
        self._write()

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    @property
    def position(self) -> Position:
        """The end of what would survive a power cut."""
        return Position(self._start.journal, self._start.position + self._synced)

    def sync(self) -> None:
        """Has the disk keep what has been written. Raises OSError."""
        size = self._size
        if size != self._synced:
            os.fsync(self._file)
            self._synced = size

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
        """Writes what changed since the last call, what expired among it; tries again later when it cannot."""
        try:
            self._write()
        except OSError as error:
            self._disk.failed(error, self, self._write)

    def _write(self) -> None:
        """Raises OSError, and leaves the journal as it was."""
        count = len(self._pending)
        if not count:
            return
        line = _line(self._pending[:count])
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(f"{written} of {len(line)} bytes were written")
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        del self._pending[:count]  # and not what another thread has added meanwhile


def _line(content: Any) -> bytes:
    text = orjson.dumps(content)
    return b"%08x %b\n" % (crc32(text), text)


class _Reader:
    """What a journal file holds, without an unfinished last line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.start: Position | None = None
        self.size = 0

    @property
    def end(self) -> int:
        return self.size + (self.start.position if self.start else 0)

    def items(self) -> tuple[Items, int]:
        """The living items per table id, and the number of changes read."""
        items: Items = defaultdict(dict)
        count = 0
        for table, partition, sort, item in self._changes():
            count += 1
            if item is None:
                items[table].pop((partition, sort), None)
            else:
                items[table][partition, sort] = item
        return items, count

    def _changes(self) -> Iterator[Change]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                content = self._content(line, number)
                self.size += len(line)
                if isinstance(content, dict):
                    self.start = Position(**content)
                else:
                    yield from content

    def _content(self, line: bytes, number: int) -> Any:
        damaged = DamagedJournalError(f"{self._path} is damaged in line {number}. {REMEDY}")
        checksum, space, text = line.rstrip(b"\n").partition(b" ")
        if line.startswith(b"[") and self.start is None:  # of before there were checksums
            text = line
        elif not space or checksum != b"%08x" % crc32(text):
            raise damaged
        try:
            content = orjson.loads(text)
        except ValueError:
            raise damaged from None
        if number == 1 and isinstance(content, dict) and content.keys() == {"journal", "position"}:
            return content
        if not isinstance(content, list) or not all(map(_is_change, content)):
            raise damaged
        return content


def _is_change(one: Any) -> bool:
    if not isinstance(one, list) or len(one) != 4:
        return False
    *names, item = one
    return all(isinstance(name, str) for name in names) and (item is None or isinstance(item, dict))


def _check(path: Path, read: _Reader, expected: Position | None) -> None:
    if expected is None:
        return
    if not read.size:
        raise DamagedJournalError(f"{path} is missing or empty. {REMEDY}")
    if read.start is None or read.start.journal != expected.journal:
        raise DamagedJournalError(f"{path} is not the journal that snapshot.json belongs to. {REMEDY}")
    if read.end < expected.position:
        raise DamagedJournalError(f"{path} is shorter than it was when snapshot.json was written. {REMEDY}")


def _rewrite(path: Path, items: Items, read: _Reader) -> Position:
    """Compacts the journal, which goes on at the position where it ended; returns where it begins."""
    start = Position(read.start.journal if read.start else uuid4().hex, read.end)
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_line(asdict(start)))
        for table, table_items in items.items():
            for (partition, sort), item in table_items.items():
                file.write(_line([[table, partition, sort, item]]))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return start
