"""Signed requests to AWS over kept-alive connections: the way every function reaches DynamoDB and S3."""

from __future__ import annotations

import http.client
import random
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from imagetrail.errors import Unavailable
from imagetrail.sigv4 import signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.sigv4 import Credentials

ATTEMPTS = 4
TIMEOUT_SECONDS = 5.0
GIVE_UP_SECONDS = 7.0
_FIRST_PAUSE_SECONDS = 0.05
_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
_RETRIED_CODES = frozenset(
    {
        "ItemCollectionSizeLimitExceededException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
    }
)


class AwsError(Exception):
    """AWS refused a request for good. The message names only AWS's code: it may be logged, never shown."""

    def __init__(self, service: str, code: str, document: Mapping[str, Any]) -> None:
        super().__init__(f"{service}: {code}")
        self.code = code
        self.document = document


class Reply(NamedTuple):
    """An answer of AWS: header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Endpoint:
    """One AWS service in one region.

    A request is tried up to four times, with jitter between, while AWS is away, overloaded or throttling, and for
    seven seconds at most, which fits the shortest function; then it is `Unavailable`.
    `credentials` is asked before each, for those that expire in the life of a process.
    Only requests that may be repeated safely belong here: every write of this project takes effect once, by its
    condition or its nature.
    """

    def __init__(
        self,
        service: str,
        region: str,
        credentials: Callable[[], Credentials],
        url: str | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.service, self._region, self._credentials = service, region, credentials
        parts = urlsplit(url or f"https://{service}.{region}.amazonaws.com")
        self._secure, self.host = parts.scheme == "https", parts.netloc
        self._now, self._pause = now, pause
        self._idle: list[http.client.HTTPConnection] = []

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", query: str = "") -> Reply:
        """The final answer, whatever its status, that needs no further retry. Raises Unavailable."""
        started = time.monotonic()
        for attempt in range(ATTEMPTS):
            if time.monotonic() - started > GIVE_UP_SECONDS - TIMEOUT_SECONDS and attempt:
                break
            if attempt:
                self.pause_before(attempt)
            signed = signed_headers(
                method,
                path,
                query,
                {**headers, "host": self.host},
                body,
                credentials=self._credentials(),
                region=self._region,
                service=self.service,
                now=self._now(),
            )
            try:
                reply = self._exchange(method, f"{path}?{query}" if query else path, signed, body)
            except (OSError, http.client.HTTPException):
                continue
            if reply.status not in _RETRIED_STATUS and not self._is_throttled(reply):
                return reply
        raise Unavailable

    def pause_before(self, attempt: int) -> None:
        """Waits before the next attempt: a random part of a time that doubles."""
        self._pause(random.random() * _FIRST_PAUSE_SECONDS * 2**attempt)  # noqa: S311 (jitter)

    def call(self, target: str, payload: Mapping[str, Any], content_type: str) -> dict[str, Any]:
        """One operation of a JSON-protocol service. Raises AwsError and Unavailable."""
        headers = {"x-amz-target": target, "content-type": content_type}
        reply = self.request("POST", "/", headers, orjson.dumps(payload))
        document: dict[str, Any] = orjson.loads(reply.body) if reply.body else {}
        if reply.status != 200:
            raise AwsError(self.service, _error_code(document), document)
        return document

    def invoke_later(self, function: str, payload: Mapping[str, Any]) -> bool:
        """Has Lambda run a function after this. Whether it will, for those who can do without."""
        path = f"/2015-03-31/functions/{function}/invocations"
        try:
            reply = self.request("POST", path, {"x-amz-invocation-type": "Event"}, orjson.dumps(payload))
        except Unavailable:
            return False
        return reply.status == 202

    def close(self) -> None:
        """Closes the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._exchange_on(self._connect(), method, target, headers, body)
            # AWS closes idle connections; to find one closed is no fault and costs no attempt.
            with suppress(ConnectionError, http.client.BadStatusLine):
                return self._exchange_on(connection, method, target, headers, body)

    def _exchange_on(
        self, connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(self.host, timeout=TIMEOUT_SECONDS, context=_trust())
        return http.client.HTTPConnection(self.host, timeout=TIMEOUT_SECONDS)

    @staticmethod
    def _is_throttled(reply: Reply) -> bool:
        if reply.status != 400 or not reply.body.startswith(b"{"):
            return False
        return _error_code(orjson.loads(reply.body)) in _RETRIED_CODES


def _error_code(document: Mapping[str, Any]) -> str:
    return str(document.get("__type", "unknown")).rpartition("#")[2]


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
