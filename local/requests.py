"""One HTTP request as the front door takes it, read whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from imagetrail.errors import Malformed, TooLarge
from local.upstream import Headers

MAX_BODY = 10 * 1024 * 1024  # bytes, API Gateway's limit


class DisconnectedError(Exception):
    """The client left before it had sent all that it announced."""


@dataclass(frozen=True)
class Request:
    """Header names are lower-case; path and query are as the client encoded them."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def header(self, name: str) -> str:
        return self.find(name) or ""

    def find(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


async def read(scope: Mapping[str, Any], receive: Any) -> Request:
    """The whole request. A body over the limit is read to its end, so that the client can read the answer.

    Raises DisconnectedError, Malformed and TooLarge.
    """
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        more = message.get("more_body", False)
    if size > MAX_BODY:
        raise TooLarge(f"A request may have {MAX_BODY} bytes.")
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if not path.startswith("/"):
        path, headers = _origin_form(path, headers)
    return Request(scope["method"], path, _encoded(query), headers, b"".join(parts))


def _origin_form(target: str, headers: Headers) -> tuple[str, Headers]:
    """The path of an absolute-form target, whose authority replaces the Host header (RFC 9112, 3.2.2)."""
    try:
        parts = urlsplit(target)
    except ValueError:
        raise Malformed("The target of the request is no address.") from None
    if parts.scheme != "http" or not parts.netloc:
        return target, headers
    others = [header for header in headers if header[0] != "host"]
    return parts.path or "/", [("host", parts.netloc), *others]


def _encoded(text: str) -> str:
    """Percent-encodes what a client sent as raw bytes, which curl does with the text it is given."""
    return quote(text, safe="%/:?#[]@!$&'()*+,;=-._~", encoding="latin-1")
