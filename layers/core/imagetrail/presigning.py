"""Addresses and forms by which a browser reads and uploads single objects of the private bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from imagetrail import moments
from imagetrail.sigv4 import signed_form, signed_query

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imagetrail.sigv4 import Credentials

_READ = timedelta(minutes=20)
_STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigner:
    """Signs with the function's own credentials: nobody can do more by it than the function may."""

    address: str
    """Where callers reach the bucket, without a slash at the end."""
    bucket: str
    region: str
    credentials: Callable[[], Credentials]
    now: Callable[[], datetime] = moments.utc_now

    def url(self, key: str) -> str:
        """Where to GET an object for the next 15 minutes at least. It stays the same for five, for caches to use."""
        parts, now = urlsplit(self.address), self.now()
        path = f"{parts.path}/{quote(key)}"
        since = now - timedelta(seconds=now.timestamp() % _STEP.total_seconds())
        query = signed_query(
            parts.netloc, path, credentials=self.credentials(), region=self.region, now=since, lifetime=_READ
        )
        return f"{parts.scheme}://{parts.netloc}{path}?{query}"

    def form(self, key: str, content_type: str, max_bytes: int, lifetime: timedelta) -> dict[str, str]:
        """The fields to POST to `address` with the file as the last: at most so large, of that type, and once named."""
        fields = {"key": key, "Content-Type": content_type}
        conditions: list[Any] = [
            {"bucket": self.bucket},
            *({name: value} for name, value in fields.items()),
            ["content-length-range", 1, max_bytes],
        ]
        return signed_form(
            fields, conditions, credentials=self.credentials(), region=self.region, now=self.now(), lifetime=lifetime
        )
