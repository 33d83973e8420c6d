"""The shards as a searching process sees them: opened once, refreshed at most every two seconds, bounded on disk."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from imagetrail.errors import Unavailable
from imagetrail.search.engine import View
from imagetrail.search.manifest import Manifest, manifest_key
from imagetrail.search.segments import MissingPartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagetrail.s3 import Bucket
    from imagetrail.search.segments import Segments

FRESH_SECONDS = 2.0
_ATTEMPTS = 5


@dataclass(slots=True)
class Shard:
    """One state of a shard: without a view it holds nothing. `position` as in its manifest."""

    view: View | None = None
    position: str = ""
    etag: str | None = None
    checked: float = float("-inf")
    size: int = 0


class Reader:
    """Opens shards. A state may be two seconds old; what was made since is never taken from the index anyway."""

    def __init__(
        self, bucket: Bucket, segments: Segments, max_bytes: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._bucket, self._segments, self._max_bytes, self._now = bucket, segments, max_bytes, now
        self._shards: dict[int, Shard] = {}
        self._opening: set[int] = set()
        self._lock = Lock()

    def shard(self, number: int) -> Shard:
        """The shard as of now. Raises Unavailable."""
        known = self._shards.get(number, Shard())
        if self._now() - known.checked < FRESH_SECONDS:
            return known
        with self._lock:
            self._opening.add(number)
        try:
            current = self._refreshed(number, known)
            with self._lock:
                self._shards.pop(number, None)
                self._shards[number] = current
        finally:
            with self._lock:
                self._opening.discard(number)
                self._bound()
        return current

    def _refreshed(self, number: int, known: Shard) -> Shard:
        for _ in range(_ATTEMPTS):
            checked = self._now()
            stored = self._bucket.load(manifest_key(number), known.etag)
            if stored is None:
                return Shard(checked=checked)
            if stored.body is None:
                known.checked = checked
                return known
            manifest = Manifest.from_json(stored.body)
            if manifest.meta is None:
                return Shard(None, manifest.position, stored.etag, checked)
            try:
                size = self._segments.fetch(number, manifest)
                with self._segments.opened(number, manifest) as folder:
                    return Shard(View(folder), manifest.position, stored.etag, checked, size)
            except MissingPartError:
                continue
        raise Unavailable

    def _bound(self) -> None:
        """Lets go of the shards that were not asked for longest, until the rest fits."""
        total = sum(shard.size for shard in self._shards.values())
        for number in list(self._shards)[:-1]:
            if total <= self._max_bytes:
                return
            if number not in self._opening:
                total -= self._shards.pop(number).size
                self._segments.forget(number)
