"""Query parameters: each knows how to read its text, and how to describe itself in the OpenAPI document."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from imagetrail import moments
from imagetrail.errors import Invalid
from imagetrail.history import MAX_OFFSET
from imagetrail.records import DELETED, STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Parameter(Protocol):
    """`parse` raises ValueError with what to change."""

    @property
    def name(self) -> str: ...
    @property
    def schema(self) -> dict[str, Any]: ...
    def parse(self, text: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two others."""

    name: str
    low: int
    high: int
    default: int

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high, "default": self.default}

    def parse(self, text: str) -> int:
        """Digits only: no sign, space, fraction or underscore."""
        hint = " (past that, use cursor)" if self.name == "offset" else ""
        if not (text.isascii() and text.isdigit() and len(text) < 10 and self.low <= int(text) <= self.high):
            raise ValueError(f"must be a whole number from {self.low} to {self.high}{hint}")
        return int(text)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some words."""

    name: str
    words: tuple[str, ...]
    default: str | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "string", "enum": list(self.words)} | ({"default": self.default} if self.default else {})

    def parse(self, text: str) -> str:
        """Exactly one of the words."""
        if text not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}")
        return text


@dataclass(frozen=True, slots=True)
class Only:
    """A filter that is `true` or not given."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "boolean", "const": True}

    def parse(self, text: str) -> bool:
        """True, and nothing else."""
        if text != "true":
            raise ValueError("must be true, or be left out")
        return True


@dataclass(frozen=True, slots=True)
class Identifier:
    """A UUID."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "string", "format": "uuid"}

    def parse(self, text: str) -> str:
        """The usual form, in any case; lower case comes out."""
        try:
            canonical = str(UUID(text))
        except ValueError:
            canonical = None
        if canonical != text.lower():
            raise ValueError("must be a UUID such as 019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11")
        return canonical


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or a time with its zone."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return moments.SCHEMA

    def parse(self, text: str) -> datetime:
        """In UTC; a date is its midnight."""
        return moments.from_text(text, plus="%2B")


@dataclass(frozen=True, slots=True)
class Opaque:
    """A text whose meaning is checked where it is used."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "string"}

    def parse(self, text: str) -> str:
        """As it is."""
        return text


@dataclass(frozen=True, slots=True)
class Words:
    """A text that has to be given."""

    name: str
    longest: int

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "string", "minLength": 1, "maxLength": self.longest}

    def parse(self, text: str) -> str:
        """As it is."""
        if not 0 < len(text) <= self.longest:
            raise ValueError(f"must have from 1 to {self.longest} characters")
        return text


_SIMPLE_USER_ID = re.compile(r"[\w@|~:-][\w.@|~:-]{0,254}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SimpleUserId:
    """A user id that reads the same however a path is decoded and normalized; `me` is the caller's own route."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        return {"type": "string", "pattern": "^[A-Za-z0-9_@|~:-][A-Za-z0-9_.@|~:-]{0,254}$", "not": {"const": "me"}}

    def parse(self, text: str) -> str:
        """As it is."""
        if text == "me" or not _SIMPLE_USER_ID.fullmatch(text):
            raise ValueError(
                'takes letters, digits and _.@|~:- only; for any other id POST {"user_id": …} to /ai/users/erase'
            )
        return text


USER_ID = SimpleUserId("user_id")
LIST_IMAGES: tuple[Parameter, ...] = (
    Whole("limit", 1, 200, 50),
    Whole("offset", 0, MAX_OFFSET, 0),
    Opaque("cursor"),
    Identifier("dataset_id"),
    OneOf("status", (*STATUSES, DELETED, "all"), "succeeded"),
    Only("favorite"),
    Moment("from"),
    Moment("to"),
    OneOf("order", ("desc", "asc"), "desc"),
)
EXPORT_IMAGES: tuple[Parameter, ...] = (
    OneOf("format", ("csv", "jsonl", "zip"), "csv"),
    Only("bom"),
    Only("async"),
    *(parameter for parameter in LIST_IMAGES if parameter.name not in ("limit", "offset", "cursor")),
)
SEARCH_IMAGES: tuple[Parameter, ...] = (
    Words("q", 500),
    Whole("limit", 1, 200, 50),
    Opaque("cursor"),
    OneOf("sort", ("relevance", "time"), "relevance"),
    Identifier("dataset_id"),
    OneOf("status", (*STATUSES, "all"), "succeeded"),
    Only("favorite"),
    Moment("from"),
    Moment("to"),
)
LIST_DATASETS: tuple[Parameter, ...] = (
    Whole("limit", 1, 200, 50),
    Opaque("cursor"),
    OneOf("visibility", ("private", "public")),
)


def parse(parameters: tuple[Parameter, ...], given: Mapping[str, str], raw: str = "") -> dict[str, Any]:
    """The values of the parameters that were given, by name. Raises Invalid with everything that is wrong.

    API Gateway joins the values of a parameter that is given twice; `raw`, the query string, tells them apart.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    errors = [(name, "must be given once") for name in _repeated(given, raw)]
    repeated = dict(errors)
    for name, text in given.items():
        if name not in known:
            takes = f"; this route takes {', '.join(known)}" if known else "; this route takes none"
            errors.append((name, f"is not a known query parameter{takes}"))
        elif name not in repeated:
            try:
                values[name] = known[name].parse(text)
            except ValueError as error:
                errors.append((name, str(error)))
    errors += [(name, "is required") for name, one in known.items() if isinstance(one, Words) and name not in given]
    if "from" in values and "to" in values and values["from"] >= values["to"]:
        errors.append(("to", "must be later than from"))
    if errors:
        raise Invalid("The query has values that are not acceptable.", errors=errors)
    return values


def _repeated(given: Mapping[str, str], raw: str) -> list[str]:
    if raw.count("&") < len(given):
        return []
    counted = Counter(name for name, _ in parse_qsl(raw, keep_blank_values=True))
    return [name for name in given if counted[name] > 1]
