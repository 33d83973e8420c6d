"""Times as text and ids that sort by time."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z: 27 characters that sort by time."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def from_text(text: str, *, plus: str = "+") -> datetime:
    """Any ISO 8601 date (its midnight in UTC) or time with a zone. Raises ValueError with what to change.

    `plus` is how the text's author has to write a plus sign.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"must be a date such as 2026-02-02 or a time such as 2026-02-02T10:30:00Z or 2026-02-02T11:30{plus}01:00"
        ) from None
    if moment.tzinfo is None:
        if not _is_date(text):
            raise ValueError(f"must say its zone: end it with Z for UTC, or with an offset such as {plus}01:00")
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def new_id(moment: datetime, entropy: int | None = None) -> str:
    """A UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
    bits = secrets.randbits(74) if entropy is None else entropy
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))
