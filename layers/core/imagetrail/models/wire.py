"""One HTTPS exchange with a vendor of images: within a deadline, and never paid for twice.

A request is sent again only while the vendor cannot have taken money for it: it never left this process, or the vendor
itself refused it (429, or a 5xx with its own JSON; the vendors here do not charge for failures). Whatever goes wrong
after sending is `Unanswered`. No exception says a key, a prompt or a vendor's words.
"""

from __future__ import annotations

import math
import random
import socket
import time
from contextlib import suppress
from http.client import HTTPException
from threading import Timer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import orjson
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from imagetrail.errors import ModelFailed
from imagetrail.models import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTEMPTS = 3
MAX_BYTES = 64 << 20
_FIRST_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 15.0  # a frozen Lambda wakes up with connections that the network has forgotten
_SHARE_TO_ANSWER = 0.25
_OPERATOR_SECONDS = 300
_BUSY_SECONDS = 60

_Origin = tuple[str, str, int | None]
_idle: dict[_Origin, list[tuple[HTTPConnection, float]]] = {}


class Reply(NamedTuple):
    """A vendor's answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """The JSON object it holds, or an empty one."""
        with suppress(orjson.JSONDecodeError):
            found = orjson.loads(self.body)
            return found if isinstance(found, dict) else {}
        return {}


def retry_after(reply: Reply) -> float | None:
    """The seconds that the header Retry-After asks for; a date in it is not read."""
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isdecimal() and len(value) < 7 else None


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
    asked: Callable[[Reply], float | None] = retry_after,
) -> Reply:
    """The vendor's final answer, whatever its status. `asked` reads how long a refusal asks to wait.

    Raises Unanswered, and ModelFailed when the vendor cannot be reached or answers with more than 64 MiB.
    """
    deadline = time.monotonic() + seconds
    reply = None
    for attempt in range(ATTEMPTS):
        reply = _try_once(url, headers, body, deadline)
        if reply is not None and reply.status != 429 and (reply.status < 500 or not reply.document()):
            return reply
        wish = 0.0 if reply is None else asked(reply) or 0.0
        delay = wish + random.random() * _FIRST_PAUSE_SECONDS * 2**attempt  # noqa: S311 (jitter)
        left = deadline - time.monotonic() - delay
        if attempt == ATTEMPTS - 1 or left < seconds * _SHARE_TO_ANSWER:
            break
        pause(delay)
    if reply is None:
        raise ModelFailed("The image model cannot be reached.")
    return reply


def failure(reply: Reply, asked: Callable[[Reply], float | None] = retry_after) -> ModelFailed:
    """What an answer other than 200 means, where vendors agree."""
    status, wish = reply.status, asked(reply)
    if status in (401, 403):
        return ModelFailed("The image model does not accept this deployment's key.", retry_after=_OPERATOR_SECONDS)
    if status == 402:
        detail = "The image model's credits are used up."
        return ModelFailed(detail, retry_after=_OPERATOR_SECONDS)
    if status == 429:
        return ModelFailed("The image model has too many requests.", retry_after=math.ceil(wish or _BUSY_SECONDS))
    if 400 <= status < 500:
        return ModelFailed("The image model does not accept this request.", retry_after=_OPERATOR_SECONDS)
    if status >= 500 and reply.document():
        return ModelFailed("The image model is not available.", retry_after=math.ceil(wish or 5))
    return Unanswered("Something between us and the image model failed.")


def base(url: str) -> str:
    """A vendor's address without its last slash. Raises ValueError for plain http to anywhere but this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) not in (("http", "127.0.0.1"), ("http", "localhost")):
        raise ValueError("an image model must be reached by https")
    return url.rstrip("/")


def header_value(key: str) -> str:
    """A key as it may stand in a header: http.client would quote an unfit one in its exception."""
    if not (stripped := key.strip()) or not (stripped.isascii() and stripped.isprintable()):
        raise ModelFailed("This deployment has no usable key for the image model.", retry_after=_OPERATOR_SECONDS)
    return stripped


def close() -> None:
    """Closes the connections that are kept."""
    for kept in _idle.values():
        while kept:
            kept.pop()[0].close()


def _try_once(url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Reply | None:
    """The answer to one request, or None if it never left."""
    parts = urlsplit(url)
    origin = (parts.scheme, parts.hostname or "", parts.port)
    try:
        connection = _kept(origin) or _connected(origin, deadline - time.monotonic())
    except (OSError, HTTPError):
        return None
    left = max(deadline - time.monotonic(), 0.001)
    # A timeout of the socket bounds every single wait; this bounds them all, however slowly the bytes arrive.
    watchdog = Timer(left, _cut, [connection.sock])
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.timeout = left
        reply = _exchange(connection, parts.path, headers, body)
        if time.monotonic() >= deadline:
            raise Unanswered
    except (OSError, HTTPError, HTTPException):
        connection.close()
        raise Unanswered from None
    except ModelFailed:
        connection.close()
        raise
    finally:
        watchdog.cancel()
    if connection.sock is not None:
        _idle.setdefault(origin, []).append((connection, time.time()))
    return reply


def _exchange(connection: HTTPConnection, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    # A vendor may refuse a body before it has read it all: its answer is there to be read.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", path, body, headers, preload_content=False, decode_content=False)
    answer = connection.getresponse()
    content = bytearray()
    for chunk in answer.stream(1 << 16):
        content += chunk
        if len(content) > MAX_BYTES:
            answer.close()
            raise ModelFailed("The image model answered with more than 64 MiB.", charged=True)
    return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, bytes(content))


def _kept(origin: _Origin) -> HTTPConnection | None:
    """An open connection from before, if one is fresh; by the wall clock, which goes on while Lambda is frozen."""
    kept = _idle.setdefault(origin, [])
    with suppress(IndexError):
        while True:
            connection, since = kept.pop()
            if 0 <= time.time() - since < _IDLE_SECONDS and connection.is_connected:
                return connection
            connection.close()
    return None


def _connected(origin: _Origin, left: float) -> HTTPConnection:
    scheme, host, port = origin
    kind = HTTPSConnection if scheme == "https" else HTTPConnection
    connection = kind(host, port, timeout=max(min(_CONNECT_SECONDS, left), 0.001))
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    return connection


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
