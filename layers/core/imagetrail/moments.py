"""Times as text and ids that sort by time."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

SCHEMA = {
    "type": "string",
    "anyOf": [{"format": "date-time"}, {"format": "date"}],
    "description": "RFC 3339, from the year 1 to 9999 in UTC, without leap seconds; a date is its midnight in UTC",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = "(?:[01][0-9]|2[0-3])"
_RFC_3339 = re.compile(
    "(?P<year>[0-9]{4})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    f"(?P<time>T{_HOUR}:[0-5][0-9]:(?P<second>[0-5][0-9]|60)(?:[.][0-9]+)?(?P<zone>Z|[+-]{_HOUR}:[0-5][0-9])?)?",
    re.IGNORECASE | re.ASCII,
)
_YEARS = "must lie between the years 1 and 9999 in UTC"


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z: 27 characters that sort by time."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def from_text(text: str, *, plus: str = "+") -> datetime:
    """An RFC 3339 time, or a full-date for its midnight in UTC. Raises ValueError with what to change.

    `plus` is how the text's author has to write a plus sign.
    """
    form = _RFC_3339.fullmatch(text)
    if form is None:
        raise ValueError(
            f"must be a date such as 2026-02-02 or a time such as 2026-02-02T10:30:00Z or "
            f"2026-02-02T11:30:00{plus}01:00"
        )
    if form["time"] and not form["zone"]:
        raise ValueError(f"must say its zone: end it with Z for UTC, or with an offset such as {plus}01:00")
    if form["second"] == "60":
        raise ValueError("must not have a leap second: write 59 for its second")
    try:
        moment = datetime.fromisoformat(text.upper())
        return (moment if form["zone"] else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(_YEARS) from None
    except ValueError:
        raise ValueError(_YEARS if form["year"] == "0000" else "must be a day that the calendar has") from None


def new_id(moment: datetime, entropy: int | None = None) -> str:
    """A UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
    bits = secrets.randbits(74) if entropy is None else entropy
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))
