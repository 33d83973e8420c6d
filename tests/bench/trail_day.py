"""The name of a benchmark's day says how many records it has."""

from datetime import UTC, datetime, timedelta

DAY_ZERO = datetime(2030, 1, 1, tzinfo=UTC)


def day_of(count: int) -> str:
    """The day that has this many thousands of records."""
    return f"{DAY_ZERO + timedelta(days=count // 1_000):%Y-%m-%d}"


def count_of(day: str) -> int:
    """How many records a day has."""
    return (datetime.fromisoformat(f"{day}T00:00:00+00:00") - DAY_ZERO).days * 1_000
