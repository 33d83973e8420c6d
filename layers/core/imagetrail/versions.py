"""Objects deleted for good: every version of them and every delete marker."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail.s3 import MAX_KEYS, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor

    from imagetrail.s3 import Bucket

STRIPES = 8
_FEW = 20


@dataclass(frozen=True, slots=True)
class Erased:
    """How many versions are gone, and the keys of those that S3 would not delete."""

    count: int
    refused: frozenset[str]


@dataclass(frozen=True, slots=True)
class Versions:
    """Deletes by key or by prefix. `executor` looks at several keys at once."""

    bucket: Bucket
    executor: Executor

    def erase(self, keys: Iterable[str]) -> Erased:
        """All versions of these keys."""
        ordered = sorted(keys)
        size = -(-len(ordered) // STRIPES) or 1
        stripes = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        done = list(self.executor.map(lambda stripe: self._delete(list(self._of(stripe))), stripes))
        return Erased(sum(part.count for part in done), frozenset().union(*(part.refused for part in done)))

    def erase_some(self, prefix: str) -> Erased:
        """Up to 1,000 versions of whatever has this prefix; to be called until it erases none."""
        return self._delete(self.bucket.list_versions(prefix).versions)

    def _delete(self, versions: list[Version]) -> Erased:
        refused = self.bucket.delete_versions(versions)
        return Erased(len(versions) - len(refused), frozenset(version.key for version in refused))

    def _of(self, keys: list[str]) -> Iterator[Version]:
        """Each listing starts at a key that is still to be found, and runs on over as many others as lie near.

        Keys made in one go are neighbours, and a listing finds hundreds of them; keys with those of others between
        are found one by one, by short listings.
        """
        wanted = set(keys)
        next_key, limit = 0, MAX_KEYS
        after: Version | None = None
        while next_key < len(keys):
            folder = keys[next_key].partition("/")[0]
            page = self.bucket.list_versions(f"{folder}/", after or Version(keys[next_key][:-1], ""), limit)
            yield from (version for version in page.versions if version.key in wanted)
            if page.last is None:
                next_key, after = bisect_left(keys, f"{folder}0"), None  # past this folder: 0 follows the slash
                continue
            before, next_key = next_key, bisect_left(keys, page.last.key)
            after = page.last if next_key < len(keys) and keys[next_key] == page.last.key else None
            limit = MAX_KEYS if next_key - before > _FEW else _FEW
