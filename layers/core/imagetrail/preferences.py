"""What a client says in its headers of how it wants to be answered: Prefer (RFC 7240) and Idempotency-Key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from imagetrail.errors import Malformed

_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class Preferences:
    """`respond_async` asks not to be kept waiting; `wait` how long a client would wait, None if it did not say."""

    respond_async: bool = False
    wait: timedelta | None = None

    @classmethod
    def parse(cls, header: str) -> Preferences:
        """What is unknown or makes no sense is no preference: the first mention of each counts."""
        found: dict[str, str] = {}
        for preference in header.split(","):
            name, _, value = preference.partition(";")[0].partition("=")
            found.setdefault(name.strip().lower(), value.strip().strip('"'))
        seconds = found.get("wait", "")
        wait = timedelta(seconds=int(seconds)) if seconds.isascii() and seconds.isdigit() and len(seconds) < 7 else None
        return cls("respond-async" in found, wait)

    @property
    def applied(self) -> str:
        """What a Preference-Applied header says when all of them are honoured."""
        parts = ["respond-async"] if self.respond_async else []
        if self.wait is not None:
            parts.append(f"wait={int(self.wait.total_seconds())}")
        return ", ".join(parts)


def idempotency_key(header: str | None) -> str | None:
    """The key, quoted as the IETF draft has it or bare as many clients send it. Raises Malformed."""
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise Malformed("Idempotency-Key must be 1 to 255 printable ASCII characters, such as a UUID.")
    return key
