"""The one writer of the index: brings a shard in step with the table for some records, or all of an owner's away.

A write works on its own copy of the shard's state and takes effect only if that state is still the current one;
otherwise it begins again, so any number of writers lose nothing. It reads the records after the state: whatever
order changes arrive in, the last write of a record has read its last state.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from imagetrail import moments, telemetry
from imagetrail.errors import Unavailable
from imagetrail.s3 import ChangedError
from imagetrail.search import engine, manifest
from imagetrail.search.segments import MissingPartError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    import tantivy

    from imagetrail.dynamo import Dynamo
    from imagetrail.s3 import Bucket
    from imagetrail.search.manifest import Manifest, Version
    from imagetrail.search.segments import Segments
    from imagetrail.search.shards import Shards

# A reader fetches what a manifest names within seconds; what is gone by then makes it read the manifest again.
RETIREMENT = timedelta(minutes=5)
_ATTEMPTS = 100
_LONGEST_PAUSE = 0.5  # seconds
_MAX_TOUCHED = 200_000


class TooBusyError(Exception):
    """Others were faster a hundred times in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexer:
    """Writes shards. Nothing waits for a lock, and a writer that is killed leaves at most an object nobody names."""

    dynamo: Dynamo
    images_table: str
    bucket: Bucket
    segments: Segments
    shards: Shards
    now: Callable[[], datetime] = moments.utc_now
    pause: Callable[[float], None] = time.sleep

    def update(self, shard: int, ids: Collection[str], position: str = "") -> int:
        """Makes the index say of these records what the table says; returns the conflicts on the way.

        `position` is up to when the caller has seen every change. Raises Unavailable and TooBusyError.
        """

        def write(state: Manifest) -> Manifest:
            with self.opened(shard, state) as folder:
                self.rewrite_documents(folder, ids)
                changed = self.segments.stored(shard, folder, state)
            if state.rewrite is not None:
                touched = sorted({*state.rewrite.touched, *ids})
                begun = replace(state.rewrite, touched=touched) if len(touched) <= _MAX_TOUCHED else None
                changed = replace(changed, rewrite=begun)
            return replace(changed, position=max(position, state.position))

        return self.commit(shard, write)

    def remove_owner(self, shard: int, owner: str) -> int:
        """Takes all documents of an owner away; the words stay in the segments until these are rewritten."""

        def write(state: Manifest) -> Manifest:
            with self.opened(shard, state) as folder:
                with engine.writing(folder) as writer:
                    writer.delete_documents_by_term("owner", owner)
                return self.segments.stored(shard, folder, state)

        return self.commit(shard, write)

    def rewrite_documents(self, folder: Path, ids: Collection[str]) -> None:
        """Replaces in an opened state the documents of these records by what the table holds of them now."""
        records = self.dynamo.get_many(self.images_table, list(ids))
        with engine.writing(folder) as writer:
            for image_id in ids:
                writer.delete_documents_by_query(engine.by_id(image_id))
            add(writer, records.values())

    @contextmanager
    def opened(self, shard: int, state: Manifest) -> Iterator[Path]:
        """A state of a shard in a folder of its own, to be read or written."""
        self.segments.fetch(shard, state)
        with self.segments.opened(shard, state) as folder:
            yield folder

    def commit(self, shard: int, write: Callable[[Manifest], Manifest]) -> int:
        """Makes `write` of the current state the current one; returns how often somebody else was faster."""
        for conflicts in range(_ATTEMPTS):
            if conflicts:
                self.pause(random.random() * min(0.01 * 2 ** min(conflicts, 8), _LONGEST_PAUSE))  # noqa: S311 (jitter)
            before = manifest.load(self.bucket, shard)
            try:
                changed = write(before.manifest)
            except MissingPartError:
                continue
            if self._swapped(shard, before, changed):
                return conflicts
        raise TooBusyError(f"shard {shard}")

    def _swapped(self, shard: int, before: Version, changed: Manifest) -> bool:
        """Swaps the manifest and clears away after it. False if the state was not the current one any more."""
        commit, now = uuid4().hex, self.now()
        old, new = before.manifest, changed
        named = {part.key for part in new.parts.values()}
        left = [part.key for part in old.parts.values() if part.key not in named]
        due = moments.to_text(now - RETIREMENT)
        gone = [key for key, moment in old.retired if moment <= due]
        waiting = [(key, moment) for key, moment in old.retired if moment > due]
        waiting += [(key, moments.to_text(now)) for key in left]
        final = replace(new, commit=commit, retired=waiting)
        try:
            self.bucket.swap(manifest.manifest_key(shard), final.as_json(), "application/json", before.etag)
        except ChangedError:
            current = manifest.load(self.bucket, shard).manifest
            if current.commit != commit:
                ours = named - {part.key for part in old.parts.values()}
                self._erase(ours - {part.key for part in current.parts.values()})
                return False
        self._erase(gone)
        return True

    def _erase(self, keys: Iterable[str]) -> None:
        """What cannot be erased now is swept when the shard is rewritten."""
        for key in keys:
            with suppress(Unavailable):
                self.bucket.purge(key)


def add(writer: tantivy.IndexWriter, records: Iterable[Mapping[str, Any]]) -> None:
    """Adds the records that can be found. One that cannot be read is left out, and logged, and stops no other."""
    for record in records:
        if is_indexed(record):
            try:
                writer.add_document(engine.document(record))
            except (KeyError, TypeError, ValueError) as error:
                telemetry.logger.error("unindexable", extra={"image_id": record["id"], "type": type(error).__name__})


def is_indexed(record: Mapping[str, Any]) -> bool:
    """Whether a record is kept in the index: it has its final status. One in the trash is marked there as such."""
    return bool(record["status"] != "pending")
