"""Taking the history away: a small export is the answer itself, a large one becomes a job."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail import archives, moments, spreadsheet
from imagetrail.callers import Caller
from imagetrail.history import HistoryQuery
from imagetrail.records import image_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Executor

    from imagetrail.history import History
    from imagetrail.http import Request
    from imagetrail.jobs import Jobs
    from imagetrail.presigning import Presigner
    from imagetrail.s3 import Bucket
    from imagetrail.tombstones import Tombstones

KIND = "export"
NAME = "generated_images"
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "zip": "application/zip"}
KEPT = timedelta(days=7)
"""How long the bucket keeps the file of a job: the lifecycle rule of infra/storage.yaml says the same."""
SMALL = 4_000_000
"""Bytes of an answer: in base64 they are well within the 6 MB that Lambda may answer."""
_PAGE = 200
_PICTURES_AT_ONCE = 8
_HASTE = timedelta(seconds=8)
MISSING = (b"id,reason\r\n", "the picture is not in the bucket")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to export, for whom: `filters` are those of the history, as text."""

    user_id: str | None
    is_admin: bool
    format: str
    bom: bool
    filters: Mapping[str, Any]
    public_url: str

    @classmethod
    def of(cls, request: Request) -> Order:
        """What a request asks for."""
        asked = dict(request.query)
        file_format, bom = asked.pop("format", "csv"), asked.pop("bom", False)
        asked.pop("async", None)
        filters = {
            name: moments.to_text(value) if isinstance(value, datetime) else value for name, value in asked.items()
        }
        return cls(
            user_id=request.caller.user_id,
            is_admin=request.caller.is_admin,
            format=file_format,
            bom=bom,
            filters=filters,
            public_url=request.public_url,
        )

    @classmethod
    def from_text(cls, text: str) -> Order:
        """What `as_text` gave."""
        return cls(**orjson.loads(text))

    def as_text(self) -> str:
        """The order as a job keeps it: equal ones have equal texts."""
        parts = {name: getattr(self, name) for name in self.__slots__}
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()

    @property
    def caller(self) -> Caller:
        """Whose history it is."""
        return Caller(self.user_id, self.is_admin)

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"{NAME}.{self.format}"

    @property
    def headers(self) -> dict[str, str]:
        """What the file is served with."""
        return {
            "content-type": MEDIA_TYPES[self.format],
            "content-disposition": f'attachment; filename="{self.name}"',
            "cache-control": "private, no-store",
        }

    @property
    def head(self) -> bytes:
        """What stands before the records, in the file or in the table within the archive."""
        if self.format == "jsonl":
            return b""
        return (spreadsheet.BOM if self.bom else b"") + spreadsheet.csv_header()

    def line(self, record: Mapping[str, Any]) -> bytes:
        """A record in the file, or in the table within the archive."""
        return spreadsheet.json_record(record) if self.format == "jsonl" else spreadsheet.csv_record(record)

    def query(self, limit: int, cursor: str | None) -> HistoryQuery:
        """A page of the history."""
        filters = dict(self.filters)
        bounds: dict[str, Any] = {
            called: moments.from_text(filters.pop(name))
            for name, called in (("from", "from_"), ("to", "to"))
            if name in filters
        }
        return HistoryQuery(limit=limit, cursor=cursor, **filters, **bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """`executor` reads pictures side by side; `presigner` makes the links to what jobs have written."""

    history: History
    bucket: Bucket
    jobs: Jobs
    tombstones: Tombstones
    executor: Callable[[], Executor]
    presigner: Presigner
    now: Callable[[], datetime] = moments.utc_now

    def export(self, order: Order, *, later: bool, start: bool = True) -> bytes | dict[str, Any] | None:
        """The file if it is small, else the job that makes it; `later` is what asks for one in any case.

        The same order gets the same job while it is open. Without `start` no job is started, and None stands for it.
        Raises Unauthenticated, AccountErased and Unavailable.
        """
        if later:
            self.history.page(order.caller, order.query(1, None), order.public_url)  # may they look at all?
        elif (data := self._small(order)) is not None:
            return data
        self.tombstones.check(order.caller.owner)
        if not start:
            return None
        text = order.as_text()
        return self.jobs.start(KIND, text, claim(text), order.caller)

    def shown(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """A job as callers see it, with a link to its file while that is kept."""
        receipt = dict(job["receipt"] or {})
        if not receipt.get("file"):
            return dict(job)
        held = dict(receipt["file"])
        key = held.pop("key")
        until = moments.from_text(job["finished_at"]) + KEPT
        receipt["file"] = None
        if self.now() < until:
            receipt["file"] = {**held, "url": self.presigner.url(key), "expires_at": moments.to_text(until)}
        return {**job, "receipt": receipt}

    def _small(self, order: Order) -> bytes | None:
        """The whole file, or None if it is too large to be answered, or takes too long."""
        give_up, size = self.now() + _HASTE, 0
        records: list[dict[str, Any]] = []
        lines = [order.head]
        for page in self._pages(order):
            for record in page:
                lines.append(order.line(record))
                size += len(lines[-1])
                if order.format == "zip":
                    records.append(record)
                    size += (record["bytes"] or 0) + 500
            if size > SMALL or self.now() > give_up:
                return None
        table = b"".join(lines)
        return table if order.format != "zip" else self._archive(records, table)

    def _pages(self, order: Order) -> Iterator[list[dict[str, Any]]]:
        cursor = None
        while True:
            page = self.history.page(order.caller, order.query(_PAGE, cursor), order.public_url)
            yield page["images"]
            if (cursor := page["next_cursor"]) is None:
                return

    def _archive(self, records: list[dict[str, Any]], table: bytes) -> bytes | None:
        """Pictures, table, and what is missing; None if the pictures are larger than their records say."""
        body, directory, missing = bytearray(), bytearray(), bytearray(MISSING[0])
        count = 0

        def add(file: archives.Member, data: bytes) -> None:
            nonlocal count
            directory.extend(archives.directory_entry(file, len(body)))
            body.extend(archives.local_header(file) + data)
            count += 1

        pictures = pictured(records)
        for start in range(0, len(pictures), _PICTURES_AT_ONCE):
            some = pictures[start : start + _PICTURES_AT_ONCE]
            for record, data in zip(some, self.executor().map(self.bucket.get, map(image_key, some)), strict=True):
                if data is None:
                    missing += spreadsheet.csv_line([record["id"], MISSING[1]])
                else:
                    add(archives.member(image_key(record), data, record["created_at"]), data)
            if len(body) > SMALL:
                return None
        latest = max((record["created_at"] for record in records), default=moments.to_text(self.now()))
        add(archives.member(f"{NAME}.csv", table, latest), table)
        if len(missing) > len(MISSING[0]):
            add(archives.member("missing.csv", bytes(missing), latest), bytes(missing))
        return bytes(body + directory + archives.end(count, len(body), len(directory)))


def claim(text: str) -> str:
    """By which a second order for the same finds the first one's job."""
    return f"{KIND} {hashlib.sha256(text.encode()).hexdigest()}"


def pictured(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that have a picture to be read."""
    return [record for record in records if record["status"] == "succeeded" and record["image_url"] is not None]
