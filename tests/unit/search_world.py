"""A table, a bucket and a list in memory, with the real indexer and two searching processes over them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from imagetrail import moments
from imagetrail.callers import Caller, owner_of
from imagetrail.s3 import ChangedError, Stored
from imagetrail.search import engine, manifest
from imagetrail.search.indexing import Indexer
from imagetrail.search.reader import Reader
from imagetrail.search.rebuilding import Rebuild
from imagetrail.search.searching import Search, SearchQuery
from imagetrail.search.segments import Segments
from imagetrail.search.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imagetrail.history import HistoryQuery

SHARDS = 2
START = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
Record = dict[str, Any]


class Objects:
    """A bucket that keeps one version of each object."""

    def __init__(self) -> None:
        self._bodies: dict[str, tuple[bytes, str]] = {}

    def put(self, key: str, body: bytes, _kind: str, **_headers: Any) -> None:
        self._bodies[key] = body, key

    def get(self, key: str) -> bytes | None:
        held = self._bodies.get(key)
        return held[0] if held else None

    def load(self, key: str, known_etag: str | None = None) -> Stored | None:
        held = self._bodies.get(key)
        if held is None:
            return None
        return Stored(None if held[1] == known_etag else held[0], held[1])

    def swap(self, key: str, body: bytes, _kind: str, etag: str | None) -> str:
        held = self._bodies.get(key)
        if (held and held[1]) != etag:
            raise ChangedError(key)
        new = str(int(etag or 0) + 1)
        self._bodies[key] = body, new
        return new

    def purge(self, key: str) -> None:
        self._bodies.pop(key, None)

    def versions(self, prefix: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(key=key) for key in self._bodies if key.startswith(prefix)]

    def delete_version(self, version: SimpleNamespace) -> None:
        self.purge(version.key)


class World:
    """Records by id, the changes that the index has not seen, and a clock that every call moves a little."""

    def __init__(self, folder: Path) -> None:
        self.records: dict[str, Record] = {}
        self.datasets: dict[str, str] = {}
        self.changed: list[str] = []
        self.now = START
        self._count = 0
        self._threads = ThreadPoolExecutor(4)
        self._bucket = Objects()
        self.indexer = self._indexer(folder / "indexer")
        self.searches = [self._search(folder / f"reader-{n}") for n in range(2)]

    def close(self) -> None:
        self._threads.shutdown()

    # What a table, a history and the datasets answer.

    def get_many(self, _table: str, ids: list[str]) -> dict[str, Record]:
        return {image_id: dict(self.records[image_id]) for image_id in ids if image_id in self.records}

    def scan(self, _table: str) -> Iterator[list[Record]]:
        yield [dict(record) for record in self.records.values()]

    def sees_all(self, caller: Caller) -> bool:
        return caller.is_admin

    def newest_keys(self, caller: Caller, query: HistoryQuery) -> list[Record]:
        low = "" if query.from_ is None else moments.to_text(query.from_)
        high = "~" if query.to is None else moments.to_text(query.to)
        listed = [
            record
            for record in self.records.values()
            if low <= record["created_at"] < high
            and self.is_listed(record, caller, query.status, query.dataset_id, favorite=query.favorite)
        ]
        listed.sort(key=lambda record: record["created_at"], reverse=True)
        return [{"id": record["id"], "created_at": record["created_at"]} for record in listed[: query.limit]]

    def page(self, _caller: Caller, *, visibility: str | None, **_paging: Any) -> dict[str, Any]:
        named = [{"id": dataset_id, "name": name} for dataset_id, name in self.datasets.items()]
        return {"datasets": [] if visibility else named, "next_cursor": None}

    def is_listed(self, record: Record, caller: Caller, status: str, dataset_id: str | None, *, favorite: bool) -> bool:
        return bool(
            (caller.is_admin or record["owner"] == caller.owner)
            and "deleted_at" not in record
            and record["status"] == status
            and dataset_id in (None, record.get("dataset_id"))
            and (record.get("favorite") or not favorite)
        )

    # What happens.

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def create(self, caller: Caller, prompt: str, created: datetime | None = None, **columns: Any) -> str:
        self._count += 1
        image_id = str(UUID(int=self._count * 0x9E3779B97F4A7C15F39CC0605CEDC834 % (1 << 128)))  # in no order
        self.records[image_id] = {
            "id": image_id,
            "owner": owner_of(caller.user_id),
            "prompt": prompt,
            "created_at": moments.to_text(created or self.now),
            "status": "succeeded",
            **columns,
        }
        self.changed.append(image_id)
        return image_id

    def change(self, image_id: str, **columns: Any) -> None:
        record = self.records[image_id] | columns
        self.records[image_id] = {name: value for name, value in record.items() if value is not None}
        if self.records[image_id]["status"] != "pending":
            self.changed.append(image_id)

    def index(self, count: int | None = None) -> None:
        """Brings the oldest changes into the index."""
        count = len(self.changed) if count is None else count
        oldest, self.changed = self.changed[:count], self.changed[count:]
        position = moments.to_text(self.now - timedelta(seconds=len(self.changed)))
        for shard in range(SHARDS):
            ids = [i for i in dict.fromkeys(oldest) if self._shard(i) in (shard, None)]
            if ids:
                self.indexer.update(shard, ids, position)

    def rebuild(self) -> None:
        Rebuild(self.indexer).run()
        self.changed.clear()

    def search(self, process: int, caller: Caller, query: SearchQuery) -> dict[str, Any]:
        return self.searches[process].page(caller, query, "")

    def _shard(self, image_id: str) -> int | None:
        record = self.records.get(image_id)
        return None if record is None else self.indexer.shards.of(record["owner"])

    def _indexer(self, folder: Path) -> Indexer:
        bucket, table = cast("Any", self._bucket), cast("Any", self)
        return Indexer(
            dynamo=table,
            images_table="images",
            bucket=bucket,
            segments=Segments(bucket, folder, self._threads),
            shards=Shards(bucket, SHARDS, creates=True),
            now=lambda: self.now,
        )

    def _search(self, folder: Path) -> Search:
        bucket, table = cast("Any", self._bucket), cast("Any", self)
        reader = Reader(bucket, Segments(bucket, folder, self._threads), 1 << 30, lambda: self.now.timestamp())
        return Search(
            history=table,
            datasets=table,
            dynamo=table,
            images_table="images",
            reader=reader,
            shards=Shards(bucket, SHARDS, creates=True),
            requests=self._threads,
            executor=self._threads,
            now=lambda: self.now,
        )


def place(record: Record) -> tuple[int, str]:
    """The order among equals."""
    return engine.created(record), record["id"]


def held(world: World) -> set[str]:
    """The ids in the index."""
    ids: set[str] = set()
    for shard in range(SHARDS):
        state = manifest.load(world.indexer.bucket, shard).manifest
        if state.meta is not None:
            with world.indexer.opened(shard, state) as folder:
                ids |= engine.View(folder).fingerprints().keys()
    return ids
