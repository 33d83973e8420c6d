"""The HTTP side of a Lambda function: API Gateway's event (payload 2.0) in, its answer out, errors as problems."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail.callers import ANONYMOUS, Caller, Origin
from imagetrail.cross_origin import SAFE_METHODS
from imagetrail.errors import ImagetrailError, Invalid, Unauthenticated
from imagetrail.preferences import Preferences, idempotency_key
from imagetrail.queries import Identifier, parse
from imagetrail.request_body import json_body, raw_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imagetrail.queries import Parameter

_RESERVE = timedelta(seconds=2)
_MAX_ERRORS = 50
_MAX_FIELD_NAME = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One request, authenticated, its query and body parsed as the route declares them."""

    event: Mapping[str, Any]
    caller: Caller = ANONYMOUS
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    public_url: str = ""
    time_left: timedelta = timedelta(seconds=10)

    @property
    def method(self) -> str:
        """GET, POST, …"""
        return str(self.event["requestContext"]["http"]["method"])

    @property
    def path(self) -> str:
        """The path as it was asked for."""
        return str(self.event["rawPath"])

    @property
    def origin(self) -> Origin:
        """Where the request came from."""
        headers = self.event.get("headers") or {}
        address = str(self.event["requestContext"]["http"]["sourceIp"])
        return Origin(address, headers.get("x-origin-key"), headers.get("x-viewer-address"))

    @property
    def filters(self) -> dict[str, Any]:
        """The query by names that Python allows: `from` is `from_`."""
        return {"from_" if name == "from" else name: value for name, value in self.query.items()}

    @property
    def preferences(self) -> Preferences:
        """How the client wants to be answered."""
        return Preferences.parse((self.event.get("headers") or {}).get("prefer", ""))

    @property
    def idempotency_key(self) -> str | None:
        """By which the client tells a repeated request. Raises Malformed."""
        return idempotency_key((self.event.get("headers") or {}).get("idempotency-key"))

    @property
    def if_match(self) -> list[str] | None:
        """The entity tags of the header If-Match, None without it."""
        value = (self.event.get("headers") or {}).get("if-match")
        return None if value is None else [tag.strip() for tag in value.split(",")]

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks if a page of another origin may send a request (CORS)."""
        headers = self.event.get("headers") or {}
        return self.method == "OPTIONS" and {"origin", "access-control-request-method"} <= headers.keys()

    @property
    def raw_body(self) -> bytes:
        """The body as it was sent. Raises Malformed."""
        return raw_body(self.event)

    def path_text(self, name: str) -> str:
        """What stands at `{name}` of the route's path."""
        return str(self.event["pathParameters"][name])

    def path_value(self, parameter: Parameter) -> Any:
        """What stands for a parameter in the route's path. Raises Invalid."""
        try:
            return parameter.parse(self.event["pathParameters"][parameter.name])
        except ValueError as error:
            raise Invalid("The path has a value that is not known.", errors=[(parameter.name, str(error))]) from None

    def path_id(self, name: str) -> str:
        """The UUID at `{name}` of the route's path. Raises Invalid."""
        try:
            return Identifier(name).parse(self.event["pathParameters"][name])
        except ValueError as error:
            raise Invalid("The path holds something that is no id.", errors=[(name, str(error))]) from None


@dataclass(frozen=True, slots=True)
class Response:
    """A status with a body that becomes JSON; bytes are JSON already, or with `is_file` anything at all."""

    status: int
    body: Mapping[str, Any] | bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    is_file: bool = False

    def as_event(self) -> dict[str, Any]:
        """The answer in API Gateway's terms."""
        body = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        headers = {"content-type": "application/json", "cache-control": "no-store", **self.headers}
        answer = {"statusCode": self.status, "headers": headers}
        if self.is_file:
            return {**answer, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        return {**answer, "body": body.decode()}


def csv_file(name: str, content: bytes) -> Response:
    """An answer that a browser saves under a name."""
    headers = {"content-type": "text/csv; charset=utf-8", "content-disposition": f'attachment; filename="{name}"'}
    return Response(200, content, headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route takes and gives. `body` is a model of `schemas`, answers are names of models of `answers`.

    A route without `query` takes any, one without `body` ignores it. `problems` are the error statuses beyond those
    that follow from the rest. A route that is `public` answers everybody alike, and looks at no token. One that
    `submits` honours Idempotency-Key and Prefer, one that is `conditional` If-Match.
    """

    query: tuple[Parameter, ...] | None = ()
    body: type[Any] | None = None
    answers: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    public: bool = False
    submits: bool = False
    conditional: bool = False

    def read(self, event: Mapping[str, Any], caller: Caller, public_url: str, remaining_ms: int) -> Request:
        """The request, whole and valid. Raises Malformed, TooLarge, UnsupportedMediaType and Invalid."""
        return Request(
            event=event,
            caller=caller,
            query=self._query(event),
            body=None if self.body is None else _validated(self.body, json_body(event)),
            public_url=public_url or (event.get("stageVariables") or {}).get("PublicUrl", ""),
            time_left=timedelta(milliseconds=remaining_ms) - _RESERVE,
        )

    def changes_state(self, method: str) -> bool:
        """Whether a request may have an effect: a safe method has one where it may start a job."""
        return method not in SAFE_METHODS or 202 in self.answers

    def error_statuses(self, method: str, path: str) -> set[int]:
        """The statuses of all problems that the route may answer."""
        statuses = {422, 500, 503, *self.problems}
        if not self.public:
            statuses.add(401)
        if self.changes_state(method):
            statuses.add(403)
        if "{" in path or self.submits:
            statuses.add(404)
        if self.body is not None:
            statuses |= {400, 413, 415}
        if self.submits or any(parameter.name == "cursor" for parameter in self.query or ()):
            statuses.add(400)
        if self.conditional:
            statuses.add(412)
        return statuses

    def _query(self, event: Mapping[str, Any]) -> dict[str, Any]:
        given = event.get("queryStringParameters") or {}
        return dict(given) if self.query is None else parse(self.query, given, event.get("rawQueryString") or "")


def problem(error: ImagetrailError, request_id: str) -> Response:
    """The error as RFC 9457 problem+json."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        shown = error.errors[:_MAX_ERRORS]  # Lambda refuses answers over 6 MB
        body["errors"] = [{"field": name[:_MAX_FIELD_NAME], "message": message} for name, message in shown]
    if error.image_id:
        body["image_id"] = error.image_id
    headers = {"content-type": "application/problem+json", **error.headers}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = 'Bearer error="invalid_token"' if error.with_token else "Bearer"
    return Response(error.status, body, headers)


def _validated(model: type[Any], document: Any) -> Any:
    from imagetrail.schemas import validated

    return validated(model, document, "The body has values that are not acceptable.")
