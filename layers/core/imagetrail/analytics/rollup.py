"""A rollup: what a day's records of one scope come to, in a form that can be added up over days.

Every row of every table is one integer: the measures stand side by side in it, 48 bits each, so that to add a record is
one addition. Tables forget their smallest rows when they grow too large, and say how much any row may lack.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail.analytics.terms import terms
from imagetrail.callers import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imagetrail.analytics.rows import Row

MEASURES = (
    "records",
    "succeeded",
    "failed",
    "blocked",
    "pending",
    "kept",
    "favorites",
    "regenerations",
    "cost_micros",
)
SETTINGS = ("style", "aspect_ratio", "resolution", "quality", "format")
TABLES = (*SETTINGS, "models", "datasets", "elements", "terms", "failures", "users")
KEPT_ROWS = 300
FORMAT = 1
"""To be raised with every change of what is counted: it makes days that have not changed fold anew."""

_CAPACITY = 50_000
_LONGEST_KEY = 200
_BITS = 48
_MASK = (1 << _BITS) - 1
_SHIFT = {measure: _BITS * place for place, measure in enumerate(MEASURES)}
# A bucket is 2^(1/8) wide: a percentile read from it is at most 4.4 % off.
_BUCKETS_PER_OCTAVE = 8


def measures(cell: int) -> dict[str, int]:
    """The measures of a cell by name."""
    return {measure: cell >> shift & _MASK for measure, shift in _SHIFT.items()}


def records(cell: int) -> int:
    """How many records a cell counts."""
    return cell & _MASK


def cell_of(row: Row) -> int:
    """What one record adds to every row that it belongs to."""
    kept = row["status"] == "succeeded" and row["deleted_at"] is None
    cell = 1 | 1 << _SHIFT[row["status"]] | round((row["cost_usd"] or 0) * 1_000_000) << _SHIFT["cost_micros"]
    if kept:
        cell |= 1 << _SHIFT["kept"]
    if kept and row["favorite"]:
        cell |= 1 << _SHIFT["favorites"]
    if row["parent_id"] is not None:
        cell |= 1 << _SHIFT["regenerations"]
    return cell


class Table:
    """Rows by key, bounded: past twice `capacity` only the largest stay.

    `floor` is how many records a forgotten row had at most, `lacks` how many a row may have lost by being forgotten.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self.rows: dict[str, int] = {}
        self.lacks: dict[str, int] = {}
        self.floor = 0
        self._capacity = capacity

    def add(self, key: str, cell: int) -> None:
        """Adds a cell to a row."""
        if key in self.rows:
            self.rows[key] += cell
            return
        if len(self.rows) >= 2 * self._capacity:
            self._shrink(self._capacity)
        self.rows[key] = cell
        if self.floor:
            self.lacks[key] = self.floor

    def _shrink(self, size: int) -> None:
        ranked = sorted(self.rows, key=lambda key: (-records(self.rows[key]), key))
        for key in ranked[size:]:
            self.floor = max(self.floor, records(self.rows.pop(key)) + self.lacks.pop(key, 0))

    def packed(self) -> dict[str, Any]:
        """The largest rows as JSON."""
        self._shrink(KEPT_ROWS)
        packed: dict[str, Any] = {"rows": {key: list(measures(cell).values()) for key, cell in self.rows.items()}}
        return packed | ({"floor": self.floor, "lacks": self.lacks} if self.floor else {})


@dataclass(slots=True)
class Rollup:
    """What records come to: their total, tables by dimension, and how long each model took."""

    total: int = 0
    tables: dict[str, Table] = field(default_factory=lambda: defaultdict(Table))
    latency: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, row: Row, keys: list[tuple[str, str]], cell: int) -> None:
        """Adds a record with what `keys_of` and `cell_of` say of it."""
        self.total += cell
        for table, key in keys:
            self.tables[table].add(key, cell)
        if row["status"] == "succeeded" and row["generation_ms"] is not None:
            self.latency[row["model"] or ""][bucket(row["generation_ms"])] += 1

    def packed(self) -> bytes:
        """As it is stored."""
        document = {
            "total": list(measures(self.total).values()),
            "tables": {name: table.packed() for name, table in sorted(self.tables.items())},
            "latency": {model: {str(b): n for b, n in sorted(held.items())} for model, held in self.latency.items()},
        }
        return zlib.compress(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))


def unpacked(packed: bytes, tables: Iterable[str] = TABLES) -> Rollup:
    """A stored rollup, with these tables of it."""
    document = orjson.loads(zlib.decompress(packed))
    rollup = Rollup(_cell(document["total"]))
    for name in document["tables"].keys() & set(tables):
        held, table = document["tables"][name], rollup.tables[name]
        table.rows = {key: _cell(values) for key, values in held["rows"].items()}
        table.floor, table.lacks = held.get("floor", 0), held.get("lacks", {})
    for model, counts in document["latency"].items():
        rollup.latency[model] = Counter({int(b): n for b, n in counts.items()})
    return rollup


def _cell(values: list[int]) -> int:
    return sum(value << shift for value, shift in zip(values, _SHIFT.values(), strict=False))


def keys_of(row: Row) -> list[tuple[str, str]]:
    """The rows that a record belongs to, but for its user's."""
    keys = [(setting, row[setting][:_LONGEST_KEY]) for setting in SETTINGS if row[setting] is not None]
    keys.append(("models", row["model"] or ""))
    if row["dataset_id"] is not None:
        keys.append(("datasets", row["dataset_id"]))
    if row["unique_visual_elements"]:
        keys += [
            ("elements", element) for element in {element[:_LONGEST_KEY] for element in row["unique_visual_elements"]}
        ]
    if row["prompt"]:
        keys += [("terms", term) for term in terms(row["prompt"])]
    if row["status"] in ("failed", "blocked"):
        code = (row["error"] or "unknown").partition(":")[0][:60].replace(" ", "_")
        keys.append(("failures", f"{code} {row['model'] or ''}"))
    return keys


def user_key(row: Row) -> tuple[str, str]:
    """The row of a record's user, which only the rollup over everybody has."""
    return "users", owner_of(row["user_id"])


def bucket(milliseconds: int) -> int:
    """The histogram bucket of a duration."""
    return 0 if milliseconds < 1 else 1 + math.floor(math.log2(milliseconds) * _BUCKETS_PER_OCTAVE)


def percentiles(histogram: Counter[int], *ranks: float) -> list[float | None]:
    """The durations in milliseconds below which these parts of all lie, within 4.4 %."""
    return [_percentile(histogram, rank) for rank in ranks]


def _percentile(histogram: Counter[int], rank: float) -> float | None:
    wanted = math.ceil(rank * histogram.total())
    for number, passed in _running(histogram):
        if passed >= wanted:
            return 0.0 if number == 0 else round(2 ** ((number - 0.5) / _BUCKETS_PER_OCTAVE), 1)
    return None


def _running(histogram: Counter[int]) -> Iterator[tuple[int, int]]:
    passed = 0
    for number in sorted(histogram):
        passed += histogram[number]
        yield number, passed
