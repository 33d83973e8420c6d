"""What a report may be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from imagetrail.analytics.figures import SORTS
from imagetrail.analytics.reports import SHAPES
from imagetrail.queries import OneOf, Opaque, Whole

if TYPE_CHECKING:
    from imagetrail.queries import Parameter


@dataclass(frozen=True, slots=True)
class Day:
    """A day, in UTC."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "string", "format": "date"}

    def parse(self, text: str) -> date:
        """A date of this millennium."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = date.min
        if day.isoformat() != text or not 2000 <= day.year < 3000:
            raise ValueError("must be a date such as 2026-02-02, in UTC, not before the year 2000")
        return day


MOST_ROWS = 1_000
REPORT = OneOf("report", tuple(SHAPES))
REPORTS: tuple[Parameter, ...] = (
    Day("from"),
    Day("to"),
    OneOf("by", ("day", "week", "month")),
    OneOf("sort", SORTS, "records"),
    OneOf("order", ("desc", "asc"), "desc"),
    Whole("min_records", 1, 1_000_000, 1),
    Whole("limit", 1, MOST_ROWS, 50),
    Opaque("user_id"),
    OneOf("format", ("json", "csv"), "json"),
)
