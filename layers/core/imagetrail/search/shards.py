"""In how many shards the index is cut, and which of them holds an owner's records."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from imagetrail.s3 import ChangedError
from imagetrail.search.manifest import ROOT

if TYPE_CHECKING:
    from imagetrail.s3 import Bucket

_KEY = f"{ROOT}/index.json"


class Shards:
    """The number is fixed when the index is created and written beside it: a later setting changes nothing.

    Only who writes the index `creates` it; until then it has as many empty shards as are `wanted`.
    """

    def __init__(self, bucket: Bucket, wanted: int, *, creates: bool) -> None:
        self._bucket, self._wanted, self._creates = bucket, wanted, creates
        self._count = 0

    @property
    def count(self) -> int:
        """How many there are."""
        while not self._count:
            stored = self._bucket.load(_KEY)
            if stored is not None and stored.body is not None:
                self._count = int(orjson.loads(stored.body)["shards"])
            elif not self._creates:
                return self._wanted
            else:
                with suppress(ChangedError):
                    self._bucket.swap(_KEY, orjson.dumps({"shards": self._wanted}), "application/json", None)
        return self._count

    def of(self, owner: str) -> int:
        """The shard of an owner partition."""
        digest = hashlib.blake2b(owner.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.count
