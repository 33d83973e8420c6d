"""Values as PostgreSQL writes them: times in its date styles, and arrays.

Source: "Date/Time Output" and "Array Input and Output Syntax" in PostgreSQL's documentation.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from imagetrail import moments

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?"
_ZONE = r" ?(?P<zone>[A-Za-z][A-Za-z0-9_/+-]*|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?(?P<era> BC)?"
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})"
_FORMS = [
    re.compile(form, re.ASCII)
    for form in (
        rf"(?P<year>\d{{4,6}})-(?P<month>\d\d)-(?P<day>\d\d)[ Tt]{_CLOCK}{_ZONE}",  # ISO
        rf"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{{4,6}}) {_CLOCK}{_ZONE}",  # German
        rf"{_WEEKDAY} {_MONTH} (?P<day>\d\d) {_CLOCK} (?P<year>\d{{4,6}}){_ZONE}",  # Postgres, MDY
        rf"{_WEEKDAY} (?P<day>\d\d) {_MONTH} {_CLOCK} (?P<year>\d{{4,6}}){_ZONE}",  # Postgres, DMY
    )
]
_SQL = re.compile(r"\d\d/\d\d/\d{4,6} .*")
_UTC = frozenset({"Z", "UTC", "GMT", "UCT", "ZULU", "ETC/UTC"})
_SPACE = " \\t\\n\\r\\v\\f"  # what an array does not quote is a part of its element
_ARRAY = re.compile(
    rf'[{_SPACE}]*(?:"((?:[^"\\]|\\.)*)"|((?:[^",{{}}\\{_SPACE}]|\\.)(?:[^",{{}}\\]|\\.)*))[{_SPACE}]*([,}}])',
    re.DOTALL,
)
LIST_FORMS = 'a list of texts, such as ["wooden tables"] or {"wooden tables"}'
TIME_FORMS = "a time with its zone, such as 2026-02-02 10:30:00+00 or 2026-02-02T10:30:00Z"


def time(text: str) -> datetime:
    """A timestamptz in the date styles ISO, German and Postgres, or an RFC 3339 time. Raises ValueError."""
    text = text.strip()
    if text.lstrip("+-").casefold() == "infinity":
        raise ValueError(f"must be {TIME_FORMS}; infinity is not a time")
    found = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if found is None:
        if _SQL.fullmatch(text):
            raise ValueError(f"must be {TIME_FORMS}; the order of day and month is unknown: SET datestyle = 'ISO'")
        raise ValueError(f"must be {TIME_FORMS}")
    parts = found.groupdict()
    if parts["era"] or not 1 <= int(parts["year"]) <= 9999:
        raise ValueError("must lie between the years 1 and 9999 in UTC")
    month = f"{_MONTHS.index(parts['name']) + 1:02}" if parts.get("name") else parts["month"]
    clock = f"{parts['hour']}:{parts['minute']}:{parts['second'] or '00'}.{parts['fraction'] or '0'}"
    offset, seconds = _offset(parts["zone"])
    local = f"{parts['year']}-{month}-{parts['day']}T{_padded(clock)}"
    try:
        datetime.fromisoformat(local)
    except ValueError:
        raise ValueError(f"must be {TIME_FORMS}; there is no such day or hour") from None
    moment = moments.from_text(f"{local}{offset}")
    try:
        return moment - timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


def _padded(clock: str) -> str:
    whole, _, fraction = clock.partition(".")
    return f"{whole}.{fraction:0<6}"


def _offset(zone: str | None) -> tuple[str, int]:
    """The offset in RFC 3339 and the seconds that it cannot say: local mean times have some."""
    if zone is None:
        raise ValueError(f"must be {TIME_FORMS}; it has no zone")
    if zone.upper() in _UTC:
        return "Z", 0
    if zone[0] not in "+-":
        raise ValueError(f"must be {TIME_FORMS}; the zone {zone} is not an offset: SET timezone = 'UTC'")
    digits = zone[1:].replace(":", "").ljust(6, "0")
    return f"{zone[0]}{digits[:2]}:{digits[2:4]}", int(f"{zone[0]}{digits[4:]}")


def array(text: str) -> list[str | None]:
    """An array of texts with one dimension, such as {a,"b c",NULL}. Raises ValueError."""
    if re.fullmatch(r"\s*\{\s*\}\s*", text):
        return []
    start = text.index("{") + 1 if text.lstrip().startswith("{") else len(text)
    elements: list[str | None] = []
    while found := _ARRAY.match(text, start):
        quoted, bare, end = found.groups()
        element = re.sub(r"\\(.)", r"\1", quoted if quoted is not None else bare.rstrip(" \t\n\r\v\f"), flags=re.DOTALL)
        elements.append(None if quoted is None and element.upper() == "NULL" else element)
        start = found.end()
        if end == "}":
            if text[start:].strip():
                break
            return elements
    raise ValueError(f"must be {LIST_FORMS}")
