"""Brings a history from elsewhere: rows become records, and their pictures come into the bucket.

Every row is judged by itself. Pictures are stored before their record, under keys that follow from its id, and a record
is only written where there is none: a run that was stopped is run again, and one that was through changes nothing.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from cli.fetching import NotFetched
from cli.rows import RefusedRow, record
from imagetrail import containers, provenance
from imagetrail.callers import owner_of
from imagetrail.dynamo import ConditionFailedError, Expression
from imagetrail.ledger import Days
from imagetrail.pixels import Picture, UndecodableImage, convert, measure, thumbnail
from imagetrail.records import (
    IMMUTABLE,
    MIME,
    embeddable,
    image_key,
    index_keys,
    owner_tags,
    public,
    stored,
    thumbnail_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.columns import Row
    from cli.fetching import Fetcher
    from cli.tables import Table
    from imagetrail.dynamo import Item
    from imagetrail.wiring import Deployment

_WORKERS = 8
_CHUNK = 64
_TRUSTED_SECONDS = 10
"""How long an owner is taken to be there still: an erasure looks for what is new for longer than that."""
_URLS = frozenset({"image_url", "thumbnail_url"})
IMPORTED, COMPLETED, STANDING, REFUSED = "imported", "completed", "standing", "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row; a refused one says why, by column."""

    line: int
    what: str
    id: str = ""
    reasons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """How many rows became records, got their picture later, were here already, and were refused."""

    imported: int = 0
    completed: int = 0
    standing: int = 0
    refused: int = 0


@dataclass(slots=True, kw_only=True)
class Import:
    """One pass over a table. `user_id` owns all of it, in place of those the rows name; `with_images` fetches pictures;
    `tell` is given every refused row."""

    deployment: Deployment
    table: Table
    fetcher: Fetcher
    tell: Callable[[Outcome], None]
    user_id: str | None = None
    with_images: bool = True
    report: Report = field(default_factory=Report)
    _days: set[str] = field(default_factory=set)
    _present: dict[str, float] = field(default_factory=dict)

    def run(self, progress: Callable[[float], None]) -> Report:
        """Imports what can be; `progress` is told the share of the file that is done. Raises Unavailable, AwsError."""
        with ThreadPoolExecutor(_WORKERS) as workers:
            while chunk := list(islice(self.table.rows, _CHUNK)):
                for outcome in workers.map(self._outcome, chunk):
                    setattr(self.report, outcome.what, getattr(self.report, outcome.what) + 1)
                    if outcome.what == REFUSED:
                        self.tell(outcome)
                progress(self.table.done())
        return self.report

    def _outcome(self, row: Row) -> Outcome:
        if row.cells is None:
            return Outcome(row.line, REFUSED, reasons=[("", row.trouble)])
        try:
            made = record(row.cells, is_own=self.table.is_own, user_id=self.user_id)
            return Outcome(row.line, self._settled(made), made["id"])
        except RefusedRow as error:
            return Outcome(row.line, REFUSED, str(row.cells.get("id") or ""), error.reasons)

    def _settled(self, made: Item) -> str:
        """Sees to it that the record is here. Raises RefusedRow."""
        if self._is_erased(owner_of(made["user_id"])):
            raise RefusedRow([("user_id", "belongs to an account that was erased within the last day")])
        held = self._held(made["id"])
        if held is not None:
            self._compare(made, held)
            if made["image_url"] is None or held.get("image_url") is not None or not self.with_images:
                return STANDING
        item = made | {"image_url": None, "thumbnail_url": None}
        if made["image_url"] is not None and self.with_images:
            item |= self._pictured(made)
        return self._write(item | index_keys(item), held)

    def _write(self, item: Item, held: Item | None) -> str:
        self._note(item["created_at"][:10])
        table = self.deployment.settings.images_table
        condition = (
            "attribute_not_exists(#id)" if held is None else "attribute_not_exists(#image_url) AND #owner = :owner"
        )
        values = {} if held is None else {"owner": item["owner"]}
        try:
            self.deployment.dynamo.put(table, item, Expression(condition, values))
        except ConditionFailedError:  # twice in the file, or made meanwhile; or the answer to our first try was lost
            if (current := self._held(item["id"])) is None:
                raise RefusedRow([("id", "was deleted while it was imported")]) from None
            self._compare({name: value for name, value in item.items() if name not in _URLS}, current)
            return STANDING  # only what certainly became a record by this run is counted as that
        return IMPORTED if held is None else COMPLETED

    def _held(self, image_id: str) -> Item | None:
        return self.deployment.dynamo.get(self.deployment.settings.images_table, image_id, consistent=True)

    def _compare(self, made: Item, held: Item) -> None:
        """Raises RefusedRow for a record that says something else than the one that is here."""
        there, here = public(made, ""), public(held, "")
        different = [name for name in made if name in there and name not in _URLS and there[name] != here[name]]
        if different:
            raise RefusedRow(
                [(name, "is different in the record that is here; that is left as it is") for name in different]
            )

    def _is_erased(self, owner: str) -> bool:
        now = time.monotonic()
        if now - self._present.get(owner, -_TRUSTED_SECONDS) < _TRUSTED_SECONDS:
            return False
        if self.deployment.tombstones.stands(owner):
            return True
        self._present[owner] = now
        return False

    def _note(self, day: str) -> None:
        if day not in self._days:
            Days(self.deployment.dynamo, self.deployment.settings.ledger_table).note(day)
            self._days.add(day)

    def _pictured(self, made: Item) -> Item:
        """The columns that follow from the picture, which is stored with its thumbnail. Raises RefusedRow."""
        key, bucket = image_key(made), self.deployment.bucket
        try:
            beside = self.table.picture(key)
            there = None if beside is not None else bucket.get(key)
            if there is not None and made.get("sha256") in (None, _sha256(there)):
                data, picture = self._kept(made, there)
            else:
                source = beside if beside is not None else self.fetcher.fetch(made["image_url"])
                data, picture = self._kept(made, source) if self.table.is_own else self._marked(made, source)
                there = None
        except (NotFetched, UndecodableImage, containers.BrokenContainer) as error:
            raise RefusedRow([("image_url", f"gives no picture: {error}")]) from None
        tags = owner_tags(made["user_id"])
        bucket.put(thumbnail_key(made), picture.thumbnail, "image/webp", cache_control=IMMUTABLE, tags=tags)
        if there is None:
            bucket.put(key, data, MIME[made["format"]], cache_control=IMMUTABLE, tags=tags)
        return stored(made, data) | {"status": made["status"], "width": picture.width, "height": picture.height}

    def _kept(self, made: Item, source: bytes) -> tuple[bytes, Picture]:
        """A picture that is one of ours, as it is."""
        if made.get("sha256") not in (None, _sha256(source)):
            raise RefusedRow([("sha256", "is not that of the picture")])
        return source, _decoded(source, made["format"])

    def _marked(self, made: Item, source: bytes) -> tuple[bytes, Picture]:
        """A picture from elsewhere, carrying its record."""
        picture = _decoded(source, made["format"])
        sizes = {"width": picture.width, "height": picture.height}
        embedded = embeddable(made | sizes, with_prompts=self.deployment.settings.embed_prompt)
        return provenance.embed(picture.data, embedded), picture


def _decoded(source: bytes, image_format: str) -> Picture:
    """The picture, really decoded: as it is, or re-encoded if it is of another format. Raises UndecodableImage."""
    held = measure(source)
    if held.kind != image_format:
        return convert(source, image_format)
    return Picture(source[: containers.length(source)], held.width, held.height, thumbnail(source))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
