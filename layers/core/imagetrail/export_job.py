"""The job that writes a large export to the bucket, part by part, in memory that does not grow.

A page of the job makes one part of a multipart upload. The state that is saved after it says how far the history was
read, and what the archive's end needs to know: no list grows in it. What an archive has at its end, its table and its
directory, is set aside in the bucket page by page and copied behind the pictures when those are through.

Two processes may work the same page, the first of them having lost its lease: the tags of the parts are sealed in a
running digest, and what is set aside in running checksums, so a file is only ever finished of parts that go together.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imagetrail import archives, moments, spreadsheet
from imagetrail.callers import owner_of
from imagetrail.erasure import EXPORTS_OF_ALL, exports
from imagetrail.exporting import MISSING, NAME, Order, claim, pictured
from imagetrail.jobs import Progress
from imagetrail.multipart import MIN_PART, PartsGoneError
from imagetrail.records import image_key
from imagetrail.running import JobFailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from datetime import datetime

    from imagetrail.dynamo import Item
    from imagetrail.history import History
    from imagetrail.jobs import Jobs
    from imagetrail.multipart import Multipart
    from imagetrail.s3 import Bucket
    from imagetrail.tombstones import Tombstones

_ASIDE = ("table", "missing", "directory")
_FILES = {"table": f"{NAME}.csv", "missing": "missing.csv"}
_LARGE_GROUP = 32_000_000
_RECORDS, _PICTURES = 200, 16
_RESTARTS = 3


class TornError(Exception):
    """Two processes wrote at the same file: it has to be begun again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Works the pages of such jobs. `part` is the size of the first 1,000 parts; each further thousand is larger by
    as much, which makes 440 GB of the 10,000 that S3 allows. `turn` is how long a page gathers at most."""

    history: History
    bucket: Bucket
    multipart: Multipart
    jobs: Jobs
    tombstones: Tombstones
    executor: Executor
    part: int = 8 * 1024 * 1024
    least: int = MIN_PART
    turn: timedelta = timedelta(seconds=20)
    now: Callable[[], datetime] = moments.utc_now

    def __call__(self, job: Item) -> Progress:
        """One page. Raises JobFailedError and Unavailable."""
        order = Order.from_text(job["subject"])
        folder = EXPORTS_OF_ALL if self.history.sees_all(order.caller) else exports(owner_of(order.user_id))
        work = _Work(self, order, f"{folder}{job['job_id']}", dict(job["state"]))
        if self.tombstones.stands(owner_of(order.user_id)):
            work.drop()
            return self._over(job, {"file": None})
        try:
            if work.page():
                held = {"key": work.key, "name": order.name, "bytes": work.state["written"]}
                return self._over(job, {"file": held}, work.counts)
        except (PartsGoneError, TornError):
            restarts = work.state.get("restarts", 0) + 1
            if restarts > _RESTARTS:
                raise JobFailedError("The file could not be put together.") from None
            work.drop()
            back = {name: -count for name, count in job["progress"].items()}
            return Progress(state={"restarts": restarts}, counts=back)
        return Progress(state=work.state, counts=work.counts)

    def _over(self, job: Item, receipt: Item, counts: dict[str, int] | None = None) -> Progress:
        self.jobs.release(claim(job["subject"]), job["job_id"])
        return Progress(state={}, counts=counts or {}, done=True, receipt=receipt)


class _Work:
    """One page of one export."""

    def __init__(self, export: Export, order: Order, path: str, state: Item) -> None:
        self.export, self.order, self.path = export, order, path
        self.key = f"{path}.{order.format}"
        self.state = state if "upload" in state else self._begun(state)
        self.counts: dict[str, int] = {}
        self._chunk = bytearray()
        self._aside = {name: bytearray() for name in _ASIDE}

    def page(self) -> bool:
        """Gathers a part, or makes all parts one. Whether that was all. Raises PartsGoneError and TornError."""
        state, export = self.state, self.export
        if state["phase"] == "whole":
            self._complete()
            return True
        if state["carried"]:
            self._chunk += self._taken("carried", state["page"] - 1)
        wanted = export.part * (1 + state["parts"] // 1000)
        until = export.now() + export.turn
        while state["phase"] != "end" and len(self._chunk) < wanted:
            self._gather()
            if export.now() >= until:
                break
        for name, data in self._aside.items():
            if data:
                self._set_aside(name, bytes(data))
        if state["phase"] == "end" or len(self._chunk) >= export.least:
            self._store_part()
        else:
            self._set_aside("carried", bytes(self._chunk))
        state["carried"] = len(self._chunk)
        state["page"] += 1
        if state["phase"] == "end":
            state["phase"] = "whole"
        return False

    def drop(self) -> None:
        """Gives the upload up."""
        self.export.multipart.abort(self.key, self.state["upload"])

    def _begun(self, state: Item) -> Item:
        return {
            **state,
            "upload": self.export.multipart.begin(self.key, self.order.headers),
            "phase": "records",
            "cursor": None,
            "page": 0,
            "copied": 0,
            "parts": 0,
            "written": 0,
            "carried": 0,
            "seal": "",
            "files": 0,
            "latest": moments.to_text(self.export.now()),
            "aside": {},
        }

    def _gather(self) -> None:
        phase = self.state["phase"]
        if phase == "records":
            self._records()
        else:
            self._copy(phase)

    def _records(self) -> None:
        order, state = self.order, self.state
        if state["cursor"] is None:
            (self._aside["table"] if order.format == "zip" else self._chunk).extend(order.head)
        page = self._read(_PICTURES if order.format == "zip" else _RECORDS)
        records, state["cursor"] = page["images"], page["next_cursor"]
        lines = b"".join(map(order.line, records))
        self._count("records", len(records))
        if order.format == "zip":
            self._aside["table"] += lines
            self._pictures(records)
        else:
            self._chunk += lines
        if state["cursor"] is None:
            self._enter("table" if order.format == "zip" else "end")

    def _read(self, limit: int) -> dict[str, Any]:
        """A page of the history, with no more pictures than memory takes at a time."""
        while True:
            page = self.export.history.page(
                self.order.caller, self.order.query(limit, self.state["cursor"]), self.order.public_url
            )
            heavy = self.order.format == "zip" and sum(record["bytes"] or 0 for record in page["images"]) > _LARGE_GROUP
            if not heavy or limit == 1:
                return page
            limit = max(limit // 4, 1)

    def _pictures(self, records: list[dict[str, Any]]) -> None:
        with_pictures = pictured(records)
        found = self.export.executor.map(self.export.bucket.get, map(image_key, with_pictures))
        for record, data in zip(with_pictures, found, strict=True):
            if data is None:
                if not self.counts.get("missing") and not self.state["aside"].get("missing"):
                    self._aside["missing"] += MISSING[0]
                self._aside["missing"] += spreadsheet.csv_line([record["id"], MISSING[1]])
                self._count("missing", 1)
            else:
                file = archives.member(image_key(record), data, record["created_at"])
                self._open(file)
                self._chunk += data
                self._count("images", 1)

    def _open(self, file: archives.Member) -> None:
        """Begins a file of the archive at the place that was reached."""
        position = self.state["written"] + len(self._chunk)
        self._aside["directory"] += archives.directory_entry(file, position)
        self._chunk += archives.local_header(file)
        self.state["files"] += 1

    def _enter(self, phase: str) -> None:
        """Goes over to what comes behind the pictures. What is set aside in this page is part of it."""
        state = self.state
        state |= {"phase": phase, "copied": 0, "check": 0}
        if phase == "end":
            return
        size, crc, _ = self._sum(phase)
        if phase == "directory":
            state["directory_at"] = state["written"] + len(self._chunk)
        elif size:
            self._open(archives.Member(_FILES[phase], size, crc, state["latest"]))
        else:
            self._enter("directory")

    def _copy(self, name: str) -> None:
        """Copies what one page has set aside behind what is there; after the last, enters the next phase."""
        state = self.state
        size, crc, last = self._sum(name)
        if state["copied"] <= last:
            is_now = state["copied"] == state["page"]
            data = bytes(self._aside[name]) if is_now else self._taken(name, state["copied"])
            self._chunk += data
            state["check"] = zlib.crc32(data, state["check"])
            state["copied"] += 1
            return
        if state["check"] != crc:
            raise TornError
        if name == "directory":
            self._chunk += archives.end(state["files"], state["directory_at"], size)
        self._enter({"table": "missing", "missing": "directory", "directory": "end"}[name])

    def _sum(self, name: str) -> tuple[int, int, int]:
        """Size and checksum of what pages have set aside by this name, and the last that did; this one yet has to."""
        size, crc, last = self.state["aside"].get(name, (0, 0, -1))
        data = bytes(self._aside[name])
        return size + len(data), zlib.crc32(data, crc), self.state["page"] if data else last

    def _set_aside(self, name: str, data: bytes) -> None:
        page = self.state["page"]
        size, crc, _ = (0, 0, -1) if name == "carried" else self.state["aside"].get(name, (0, 0, -1))
        self.state["aside"][name] = [size + len(data), zlib.crc32(data, crc), page]
        self.export.bucket.put(
            self._aside_key(name, self.state["page"]),
            data,
            "application/octet-stream",
            cache_control="no-store",
            tags={},
        )

    def _taken(self, name: str, page: int) -> bytes:
        data = self.export.bucket.get(self._aside_key(name, page)) or b""
        if name == "carried" and self.state["aside"][name] != [len(data), zlib.crc32(data), page]:
            raise TornError
        return data

    def _aside_key(self, name: str, page: int) -> str:
        return f"{self.path}/{self.state.get('restarts', 0)}-{name}-{page:06}"

    def _store_part(self) -> None:
        state = self.state
        state["parts"] += 1
        tag = self.export.multipart.put(self.key, state["upload"], state["parts"], bytes(self._chunk))
        state["seal"] = _sealed(state["seal"], tag)
        state["written"] += len(self._chunk)
        self._count("bytes", len(self._chunk))
        self._chunk.clear()

    def _complete(self) -> None:
        state, multipart = self.state, self.export.multipart
        try:
            tags = list(multipart.tags(self.key, state["upload"]))
            seal = ""
            for tag in tags:
                seal = _sealed(seal, tag)
            if seal != state["seal"]:
                raise TornError
            multipart.complete(self.key, state["upload"], tags)
        except PartsGoneError:
            if self.export.bucket.size(self.key) != state["written"]:
                raise

    def _count(self, name: str, count: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + count


def _sealed(seal: str, tag: str) -> str:
    return hashlib.sha256(f"{seal}{tag}".encode()).hexdigest()
