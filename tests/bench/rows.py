"""A row of the table, and how the sides of one row are measured: in turn, so that all meet the same noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OURS = "ours"
PEERS = ("usual", "fastapi", "bare", "floor")
SIDES = (OURS, *PEERS)
_RATIO_TO = "bare"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity in `unit`: ours, each peer's, and ours as a part of the bare handler's."""

    what: str
    unit: str
    ours: float
    peers: Mapping[str, float] = field(default_factory=dict)
    ratio: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The row as it stands in build/bench.json."""
        peers = {name: round(value, 3) for name, value in self.peers.items()}
        ratio = None if self.ratio is None else round(self.ratio, 3)
        return {"what": self.what, "unit": self.unit, "ours": round(self.ours, 3), "peers": peers, "ratio": ratio}


@dataclass(frozen=True, slots=True)
class Effort:
    """How often things are repeated."""

    cold_rounds: int
    warm_rounds: int
    warm_blocks: int
    calls_per_block: int
    images: int
    scrolled: int
    erased: int
    folded: tuple[int, ...]


FULL = Effort(
    cold_rounds=21,
    warm_rounds=7,
    warm_blocks=5,
    calls_per_block=60,
    images=12,
    scrolled=10_000,
    erased=10_000,
    folded=(25_000, 100_000),
)
QUICK = Effort(
    cold_rounds=3,
    warm_rounds=2,
    warm_blocks=3,
    calls_per_block=15,
    images=2,
    scrolled=2_000,
    erased=500,
    folded=(2_000, 8_000),
)


def compared(what: str, unit: str, samples: Mapping[str, list[float]]) -> Row:
    """Medians of each side, and the median of the ratios taken round by round."""
    ratio = median(a / b for a, b in zip(samples[OURS], samples[_RATIO_TO], strict=True))
    return Row(what, unit, median(samples[OURS]), {name: median(samples[name]) for name in PEERS}, ratio)


def in_turn(rounds: int, measure: Callable[[str], float]) -> dict[str, list[float]]:
    """Every side's samples: A B C D E, A B C D E, …"""
    samples: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            samples[side].append(measure(side))
    return samples


def table(rows: Iterable[Row]) -> str:
    """The rows as text."""
    heads = ("what", "unit", *SIDES, "ours/bare", "ours/usual")
    lines: list[tuple[str, ...]] = [heads]
    for row in rows:
        peers = [_short(row.peers.get(name)) for name in PEERS]
        usual = row.ours / row.peers["usual"] if "usual" in row.peers else None
        lines.append((row.what, row.unit, _short(row.ours), *peers, _short(row.ratio), _short(usual)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
