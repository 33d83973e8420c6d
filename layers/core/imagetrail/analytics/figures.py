"""What a cell says to people: counts, money, rates, durations; and which rows come first."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from imagetrail.analytics.rollup import measures, percentiles
from imagetrail.spreadsheet import csv_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Figures = dict[str, Any]

SORTS = (
    "records",
    "images",
    "kept",
    "favorites",
    "regenerations",
    "favorite_rate",
    "regenerate_rate",
    "failure_rate",
    "block_rate",
    "cost_usd",
    "cost_per_kept_usd",
)
_Z = 1.96  # 95 %


def figures(cell: int) -> Figures:
    """The measures of a cell, and the rates that follow from them; a rate of nothing is None."""
    held = measures(cell)
    kept, records = held["kept"], held["records"]
    finished = held["succeeded"] + held["failed"] + held["blocked"]
    cost = held["cost_micros"] / 1_000_000
    return {
        "records": records,
        "images": held["succeeded"],
        "kept": kept,
        "favorites": held["favorites"],
        "regenerations": held["regenerations"],
        "failed": held["failed"],
        "blocked": held["blocked"],
        "pending": held["pending"],
        "cost_usd": cost,
        "cost_per_kept_usd": round(cost / kept, 6) if kept else None,
        "favorite_rate": _rate(held["favorites"], kept),
        "favorite_rate_at_least": _at_least(held["favorites"], kept),
        "regenerate_rate": _rate(held["regenerations"], records),
        "failure_rate": _rate(held["failed"], finished),
        "block_rate": _rate(held["blocked"], finished),
    }


def rank(cells: Mapping[str, int], sort: str, *, descending: bool) -> list[str]:
    """The keys in order. A favourite rate counts as what it is at least, so that one of one does not come first."""
    by = "favorite_rate_at_least" if sort == "favorite_rate" else sort
    sign = -1 if descending else 1

    def place(key: str) -> tuple[bool, float, int, str]:
        told = figures(cells[key])
        return told[by] is None, sign * (told[by] or 0), -told["records"], key

    return sorted(cells, key=place)


def latency_of(histograms: Iterable[Counter[int] | None]) -> Figures:
    """Percentiles of what several days took together, within 4.4 %."""
    added: Counter[int] = sum((held for held in histograms if held), Counter())
    p50, p90, p99 = percentiles(added, 0.5, 0.9, 0.99)
    return {"p50": p50, "p90": p90, "p99": p99}


def as_csv(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as RFC 4180, what is nested as `outer_inner`. A text that a spreadsheet would run is kept from it."""
    names = list(columns)
    return csv_line(names) + b"".join(csv_line(map(flat(row).get, names)) for row in rows)


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without nesting."""
    flattened: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flattened |= {f"{name}_{inner}": member for inner, member in value.items()}
        else:
            flattened[name] = value
    return flattened


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _at_least(part: int, whole: int) -> float | None:
    """The lower end of Wilson's score interval: small samples are seen as such."""
    if not whole:
        return None
    share, square = part / whole, _Z * _Z / whole
    spread = _Z * math.sqrt((share * (1 - share) + square / 4) / whole)
    return round(max(share + square / 2 - spread, 0) / (1 + square), 4)
