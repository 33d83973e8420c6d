"""What one shard of the index consists of: the one small object that changes, by compare-and-swap."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from imagetrail.s3 import Bucket

# Part of every key: another analysis or schema is another index, and needs a rebuild.
FORMAT = 1
ROOT = f"search/{FORMAT}"


@dataclass(slots=True)
class Part:
    """An immutable object: some of the engine's files, one after the other, by name and length."""

    key: str
    files: dict[str, int]


@dataclass(slots=True)
class Rewrite:
    """A rewrite under way, and the ids that were indexed since it began."""

    token: str
    touched: list[str]


@dataclass(slots=True)
class Manifest:
    """`commit` names the write that made it. Every change of a record up to about `position` is in the index.

    `meta` is the engine's own list of segments; `retired` are keys with the time at which they left the index.
    """

    commit: str = ""
    position: str = ""
    meta: dict[str, Any] | None = None
    parts: dict[str, Part] = field(default_factory=dict)
    retired: list[tuple[str, str]] = field(default_factory=list)
    rewrite: Rewrite | None = None

    def as_json(self) -> bytes:
        """The object's body."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, body: bytes) -> Manifest:
        """The manifest that `as_json` wrote."""
        held = orjson.loads(body)
        held["parts"] = {name: Part(**part) for name, part in held["parts"].items()}
        held["retired"] = [(key, moment) for key, moment in held["retired"]]
        held["rewrite"] = Rewrite(**held["rewrite"]) if held["rewrite"] else None
        return cls(**held)


class Version(NamedTuple):
    """A manifest as it was read; without an entity tag there is none yet."""

    manifest: Manifest
    etag: str | None


def shard_prefix(shard: int) -> str:
    """Where everything of a shard lies."""
    return f"{ROOT}/{shard:04}/"


def manifest_key(shard: int) -> str:
    """Where a shard's manifest lies."""
    return f"{shard_prefix(shard)}manifest.json"


def load(bucket: Bucket, shard: int) -> Version:
    """The manifest as it is now."""
    stored = bucket.load(manifest_key(shard))
    if stored is None or stored.body is None:
        return Version(Manifest(), None)
    return Version(Manifest.from_json(stored.body), stored.etag)
