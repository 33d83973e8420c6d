"""Compares the table of images with the bucket: what is in one of them and should be, or should not be, in the other.

The names in the bucket are kept in a temporary file of SQLite's, so that memory does not grow with them; the table is
then scanned once, in whatever order it comes. What looks wrong is looked at again, for much may have happened since.
"""

from __future__ import annotations

import hashlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.legible import illegible
from cli.objects import IMAGES, THUMBNAILS, Objects
from imagetrail.dynamo import from_attributes
from imagetrail.ledger import Days
from imagetrail.pixels import UndecodableImage, measure
from imagetrail.records import UNSETTLED, image_key, index_keys, thumbnail_key
from imagetrail.trash import HIDE, PURGING, SHOW

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from cli.deployments import Opened
    from imagetrail.dynamo import Item
    from imagetrail.wiring import Deployment

_READERS = 8
_LISTING = 0.3  # of the whole, as far as a progress bar is concerned
_BATCH = 200


class Finding(NamedTuple):
    """What is wrong, and with which record or object."""

    what: str
    where: str


@dataclass(slots=True)
class Check:
    """One comparison. `deep` also reads every image. `pictureless` records came without a picture, and have none."""

    deployment: Deployment
    objects: Objects
    dynamodb: Any
    deep: bool = False
    records: int = 0
    pictureless: int = 0
    objects_seen: int = 0

    @classmethod
    def of(cls, parts: Opened, *, deep: bool) -> Check:
        """That of a deployment."""
        objects = Objects(parts.client("s3"), parts.deployment.settings.bucket)
        return cls(parts.deployment, objects, parts.client("dynamodb"), deep)

    def run(self, progress: Callable[[float], None]) -> Iterator[Finding]:
        """Everything that is wrong, as it is found."""
        with closing(sqlite3.connect("")) as names:  # a file of its own that goes with the connection
            names.execute("PRAGMA journal_mode = OFF")
            names.execute("CREATE TABLE held (key TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID")
            for prefix in (IMAGES, THUMBNAILS):
                for page in self.objects.pages(prefix):
                    names.executemany("INSERT OR REPLACE INTO held VALUES (?, ?)", page)
                    self.objects_seen += len(page)
            progress(_LISTING)
            yield from self._records(names, progress)
            for (key,) in names.execute("SELECT key FROM held ORDER BY key"):
                yield from self._ownerless(key)
        progress(1.0)

    def _records(self, names: sqlite3.Connection, progress: Callable[[float], None]) -> Iterator[Finding]:
        """What is wrong with records; strikes off the names of their objects."""
        expected = max(self.objects_seen / 2, 1)
        noted = self._noted_days()
        with ThreadPoolExecutor(_READERS) as readers:
            for batch in self._batches():
                self.records += len(batch)
                self.pictureless += sum(_serves(record) and not _has_picture(record) for record in batch)
                suspects = [record for record in batch if judged(record, _struck(names, record), noted)]
                if self.deep:
                    unlike = readers.map(self._unlike_pixels, batch)
                    suspects += [record for record, found in zip(batch, unlike, strict=True) if found]
                for record in {record["id"]: record for record in suspects}.values():
                    yield from self._again(record)
                progress(_LISTING + (1 - _LISTING) * min(self.records / expected, 1))

    def _batches(self) -> Iterator[list[Item]]:
        table = self.deployment.settings.images_table
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=table):
            records = (from_attributes(item) for item in page["Items"])
            while batch := list(islice(records, _BATCH)):
                yield batch

    def _noted_days(self) -> set[str]:
        return set(Days(self.deployment.dynamo, self.deployment.settings.ledger_table).between(None, None))

    def _again(self, seen: Item) -> Iterator[Finding]:
        """What is wrong with a record by now."""
        record = self.deployment.dynamo.get(self.deployment.settings.images_table, seen["id"], consistent=True)
        if record is None:
            for key in _keys(seen):
                yield from self._ownerless(key)
            return
        held = {key: size for key in _keys(record) if (size := self.objects.size(key)) is not None}
        found = judged(record, held, self._noted_days())
        if self.deep and not found:
            found = self._unlike_pixels(record)
        for what in found:
            yield Finding(what, record["id"])

    def _ownerless(self, key: str) -> Iterator[Finding]:
        """What is wrong with an object that no record was seen of."""
        folder, image_id = f"{key.partition('/')[0]}/", key.partition("/")[2].rpartition(".")[0]
        record = self.deployment.dynamo.get(self.deployment.settings.images_table, image_id or "-", consistent=True)
        if record is not None and key in _keys(record):
            if folder == IMAGES:
                yield from self._again(record)
        elif self.objects.size(key) is not None:
            yield Finding("pixels without a record" if folder == IMAGES else "a thumbnail without a record", key)

    def _unlike_pixels(self, record: Item) -> list[str]:
        """What its pixels, which are read, show to be wrong with a record."""
        if not (_serves(record) and _has_picture(record)):
            return []
        data = self.deployment.bucket.get(_keys(record)[0])
        if data is None or hashlib.sha256(data).hexdigest() != record.get("sha256"):
            return ["a record with other pixels"]
        try:
            held = measure(data)
        except UndecodableImage:
            return ["a record with pixels that cannot be decoded"]
        columns = {"format": held.kind, "width": held.width, "height": held.height}
        unlike = [name for name, value in columns.items() if record.get(name) != value]
        return [f"a record whose {', '.join(unlike)} is not that of its pixels"] if unlike else []


def judged(record: Item, held: Mapping[str, int], noted_days: Collection[str]) -> list[str]:
    """What is wrong with a record, given the sizes of those of its objects that there are."""
    if columns := illegible(record):
        return [f"a record whose {', '.join(columns)} cannot be read"]
    if UNSETTLED in record or record.get("trash") in (HIDE, SHOW, PURGING):  # somebody has not finished with it
        return []
    pixels, thumbnail = (held.get(key) for key in _keys(record))
    found = []
    if not _serves(record):
        if held:
            found.append(f"pixels of an image {'in the trash' if record.get('deleted_at') else 'that failed'}")
    elif record.get("image_url") is None and held:
        found.append("pixels that their record does not know")
    elif _has_picture(record):
        if pixels is None:
            found.append("a record without pixels")
        elif pixels != record.get("bytes"):
            found.append("a record with pixels of another size")
        if thumbnail is None:
            found.append("a record without a thumbnail")
    if any(record.get(name) != value for name, value in index_keys(record).items()):
        found.append("a record that indexes misplace")
    if record["created_at"][:10] not in noted_days:
        found.append("a record of a day that is not noted")
    return found


def _serves(record: Mapping[str, Any]) -> bool:
    """Whether its pixels should be there to be seen."""
    return record.get("status") == "succeeded" and not record.get("deleted_at")


def _has_picture(record: Mapping[str, Any]) -> bool:
    """Whether it ever had one: a row may be imported without."""
    return record.get("image_url") is not None or record.get("sha256") is not None


def _keys(record: Mapping[str, Any]) -> tuple[str, str]:
    return image_key({"format": None, **record}), thumbnail_key(record)


def _struck(names: sqlite3.Connection, record: Item) -> dict[str, int]:
    """The sizes of a record's objects, whose names are struck off."""
    rows = names.execute("DELETE FROM held WHERE key IN (?, ?) RETURNING key, size", _keys(record))
    return dict(rows.fetchall())
