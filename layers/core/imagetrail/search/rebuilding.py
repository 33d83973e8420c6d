"""Shards written anew while they serve: all of them from the table, or one without an owner who is forgotten.

A rewrite announces itself in the manifest, so that the indexer notes there what it indexes meanwhile; those records
are read once more before the new generation takes the old one's place, in the same swap.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from imagetrail import moments
from imagetrail.errors import Unavailable
from imagetrail.search import engine, manifest
from imagetrail.search.indexing import Indexer, add, is_indexed
from imagetrail.search.manifest import Manifest, Rewrite
from imagetrail.search.segments import MissingPartError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_BATCH = 1_000


class OvertakenError(Exception):
    """Another rewrite of the same shard has begun since."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Rewrites shards through the indexer."""

    indexer: Indexer

    def run(self, progress: Callable[[int], object] = lambda _count: None) -> int:
        """The whole index from one scan of the table; returns the records read. Memory does not grow with them."""
        indexer = self.indexer
        count = indexer.shards.count
        started = moments.to_text(indexer.now())
        tokens = [self._begin(shard) for shard in range(count)]
        read = 0
        with TemporaryDirectory() as name:
            folders = [Path(name) / str(shard) for shard in range(count)]
            with ExitStack() as stack:
                writers = [stack.enter_context(engine.writing(folder)) for folder in folders]
                for page in indexer.dynamo.scan(indexer.images_table):
                    for record in page:
                        add(writers[indexer.shards.of(record["owner"])], [record])
                    read += len(page)
                    progress(read)
            for shard, token in enumerate(tokens):
                self._finish(shard, token, folders[shard], started)
                self._sweep(shard)
        return read

    def mend(self) -> int:
        """Indexes what differs from the table, for streams that lost something; returns how many records.

        Memory grows with the table, by some hundred bytes a record.
        """
        indexer = self.indexer
        started = moments.to_text(indexer.now())
        wanted: list[dict[str, int]] = [{} for _ in range(indexer.shards.count)]
        for page in indexer.dynamo.scan(indexer.images_table):
            for record in filter(is_indexed, page):
                wanted[indexer.shards.of(record["owner"])][record["id"]] = engine.fingerprint(record)
        count = 0
        for shard, held in enumerate(map(self._held, range(len(wanted)))):
            differ = [image_id for image_id, _ in wanted[shard].items() ^ held.items()]
            ids = list(dict.fromkeys(differ))
            for start in range(0, len(ids), _BATCH):
                indexer.update(shard, ids[start : start + _BATCH])
            count += len(ids)
            if ids:
                indexer.update(shard, [], started)
        return count

    def forget(self, owner: str) -> int:
        """Removes an owner's documents at once, then every byte that was ever written of them. Cheap if there is none.

        Returns how many documents the owner had. Raises Unavailable when another rewrite of the shard came between.
        """
        shard = self.indexer.shards.of(owner)
        # Documents that are gone count here, too, as long as a segment holds their words.
        mentions = self._seen(shard, lambda view: view.frequency("owner", owner), 0)
        gone = self._rewrite_without(shard, owner) if mentions else 0
        self._sweep(shard)
        return gone

    def _rewrite_without(self, shard: int, owner: str) -> int:
        indexer = self.indexer
        before = self._held(shard)
        indexer.remove_owner(shard, owner)
        left = self._held(shard)
        token = self._begin(shard)
        ids = list(self._held(shard))
        with TemporaryDirectory() as name:
            folder = Path(name) / "shard"
            with engine.writing(folder) as writer:
                for start in range(0, len(ids), _BATCH):
                    records = indexer.dynamo.get_many(indexer.images_table, ids[start : start + _BATCH])
                    add(writer, (record for record in records.values() if record["owner"] != owner))
            try:
                self._finish(shard, token, folder, "")
            except OvertakenError:
                raise Unavailable from None
        return len(before.keys() - left.keys())

    def _held(self, shard: int) -> dict[str, int]:
        """The fingerprints of the records that the shard holds now."""
        return self._seen(shard, engine.View.fingerprints, {})

    def _seen(self, shard: int, look: Callable[[engine.View], T], nothing: T) -> T:
        """What can be seen in the shard as it is now."""
        while True:
            state = manifest.load(self.indexer.bucket, shard).manifest
            if state.meta is None:
                return nothing
            try:
                with self.indexer.opened(shard, state) as folder:
                    return look(engine.View(folder))
            except MissingPartError:
                continue

    def _begin(self, shard: int) -> str:
        token = uuid4().hex
        self.indexer.commit(shard, lambda state: replace(state, rewrite=Rewrite(token, [])))
        return token

    def _finish(self, shard: int, token: str, fresh: Path, position: str) -> None:
        """Puts the new generation in the old one's place. Raises OvertakenError."""

        def write(state: Manifest) -> Manifest:
            if state.rewrite is None or state.rewrite.token != token:
                raise OvertakenError(f"shard {shard}")
            self.indexer.rewrite_documents(fresh, state.rewrite.touched)
            changed = self.indexer.segments.stored(shard, fresh, replace(state, parts={}))
            return replace(changed, rewrite=None, position=max(position, state.position))

        self.indexer.commit(shard, write)

    def _sweep(self, shard: int) -> None:
        """Erases for good every version of every object of a shard that its manifest does not name.

        What was listed before a swap and is not named after it never will be: whoever still means to, loses.
        """
        bucket, kept = self.indexer.bucket, manifest.manifest_key(shard)
        listed = bucket.versions(manifest.shard_prefix(shard))
        self.indexer.commit(shard, lambda state: replace(state, retired=[]))
        named = {part.key for part in manifest.load(bucket, shard).manifest.parts.values()}
        for version in listed:
            if version.key not in named and version.key != kept:
                bucket.delete_version(version)
