"""The records of the search's measurements, the same in every run, and an index of them by shard on this disk."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from imagetrail import moments
from imagetrail.records import index_keys, stored
from imagetrail.search import engine
from tests.bench.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imagetrail.dynamo import Item

SHARDS = 16
_WORDS = 8_000
_SYLLABLES = ["ba", "co", "di", "fu", "ge", "hi", "jo", "ka", "lu", "me", "ni", "po", "qua", "re", "sa", "ti", "vo"]
_SYLLABLES += ["we", "xi", "yu", "za", "bri", "cla", "dro", "fre", "gla", "pla", "ste", "tru"]
_FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def vocabulary() -> list[str]:
    """Words, the frequent ones first."""
    chance = random.Random(1)  # noqa: S311 (the same in every run)
    return ["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))) for _ in range(_WORDS)]


def owners(documents: int) -> dict[str, int]:
    """How many records each of a thousand owners has: of a million, callers without a token have ten thousand."""
    each = (documents - min(10_000, documents // 10)) // 999
    return {"anonymous": documents - 999 * each} | {f"user:u{number}": each for number in range(999)}


def records(owner: str, count: int) -> Iterator[Item]:
    """An owner's records, oldest first."""
    chance = random.Random(owner)  # noqa: S311 (the same in every run)
    words = vocabulary()
    weights = list(accumulate(1 / (rank + 5) for rank in range(len(words))))
    for number in range(count):
        moment = _FIRST + timedelta(minutes=number * 7, microseconds=chance.randrange(10**6))
        prompt = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(10, 40)))
        made: dict[str, Any] = {
            "id": moments.new_id(moment, chance.getrandbits(74)),
            "prompt": prompt,
            "full_prompt": f"Brand: Nordlys. Vibe: calm. {prompt}. Style: oil.",
            "style": "oil",
            "model": "procedural",
            "format": "png",
            "aspect_ratio": "1:1",
            "quality": "standard",
            "resolution": "1K",
            "created_at": moments.to_text(moment),
            "user_id": None if owner == "anonymous" else owner.removeprefix("user:"),
        }
        made |= stored(made, b"")
        yield made | index_keys(made)


def shard_of(owner: str) -> int:
    """As `imagetrail.search.shards` has it."""
    return int.from_bytes(hashlib.blake2b(owner.encode(), digest_size=8).digest()) % SHARDS


def folders(documents: int) -> list[Path]:
    """The index of so many records, a folder a shard; written once, minutes for a million."""
    base = ROOT / "build" / f"bench-search-{documents}"
    found = [base / str(shard) for shard in range(SHARDS)]
    missing = [(documents, shard, str(folder)) for shard, folder in enumerate(found) if not folder.exists()]
    if missing:
        base.mkdir(parents=True, exist_ok=True)
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.map(_write, missing, chunksize=1)
    return found


def _write(task: tuple[int, int, str]) -> None:
    from pathlib import Path

    documents, shard, target = task
    fresh = Path(f"{target}.new")
    with engine.writing(fresh) as writer:
        for owner, count in owners(documents).items():
            if shard_of(owner) == shard:
                for record in records(owner, count):
                    writer.add_document(engine.document(record))
    fresh.rename(target)
