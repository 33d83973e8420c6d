"""How well a record fits a query: a rank that depends on these two alone.

BM25 also weighs how frequent a word is and how long prompts are on average, so its scores change whenever another
record is indexed, deleted or merged away: equal prompts would differ, and the pages of one search would not add up.
"""

from __future__ import annotations

from bisect import bisect_left

# Lengths of prompts, in stems, that count as equal: among them the newest comes first.
LENGTHS = ((0, 8), (9, 16), (17, 32), (33, 64), (65, 2**32))
_LONGEST = [longest for _, longest in LENGTHS]
RANKS = 2 * len(LENGTHS)


def rank(length: int, *, close: bool) -> int:
    """The larger the better: a prompt that says the query's phrase before any other, then the shorter one."""
    return len(LENGTHS) * (1 + close) - 1 - bisect_left(_LONGEST, length)


def score(rank: int) -> float:
    """A rank as callers see it, above 0 and at most 1."""
    return (rank + 1) / RANKS
