"""Gate in front of the emulator: only AWS requests signed with this data folder's credentials, and the front door.

The emulator itself checks no signature of its root key, answers internal paths before it looks at credentials,
and lets every origin read its answers. So each request is checked here, before the emulator sees it:

- its path is not one of the emulator's own (`/_ministack/…`, `/_localstack/…`, `/_aws/…`, `/health`);
- its Host is this machine's loopback, which a rebound DNS name is not, and it bears none of the headers by which
  a browser marks the request of a page, or it carries the front door's token;
- its SigV4 signature is valid.

The front door alone reaches what AWS serves unsigned: the HTTP API, sign-in at the user pool, and upload forms, whose
signature S3 checks.
"""

import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from ministack.core import iam_evaluator, sigv4
from ministack.core.iam_evaluator import CredentialResolutionError
from ministack.services import s3

from local import sign_in
from local.emulator.context import Context
from local.emulator.headers import DISK, TOKEN
from local.emulator.patches.root_key import signed_form
from local.origins import is_loopback

_DISK_FULL = (DISK.encode(), b"full")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_OF_BROWSERS = frozenset({"origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"})
_INTERNAL = ("/_", "/health", "/ready")
_KEYS = "/.well-known/jwks.json"
_MAX_BODY = 256 * 1024 * 1024  # bytes
_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "TransactGet")


@dataclass(frozen=True)
class Refusal(Exception):
    """A request that the emulator must not see."""

    status: int
    message: str

    @property
    def code(self) -> str:
        return "ServiceUnavailable" if self.status == 503 else "AccessDeniedException"


class Signed(NamedTuple):
    """A signature as it was sent, not verified yet, with the credential that it names and the parsed query."""

    signature: Any
    credential: Any
    query: dict[str, list[str]]
    in_header: bool


@dataclass(frozen=True)
class Guard:
    """An ASGI application around the emulator's."""

    app: App
    context: Context
    account: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            try:
                headers = _joined(scope["headers"])
                signed = self._sender(scope, headers)
                body = await _whole_body(receive)
                self._check_signature(scope, headers, body, signed)
                if self.context.disk.is_full and _writes(scope, body):
                    raise _disk_full()
            except Refusal as refusal:
                await _refuse(scope, send, refusal)
                return
            except ConnectionAbortedError:
                return
            await self.app(_forwarded(scope), _replay(body, receive), self._checked(scope, send))

    def _checked(self, scope: Scope, send: Send) -> Send:
        """Answers 503 instead when a write of this request failed."""
        failures, refused = self.context.disk.watch(), False

        async def checked(message: MutableMapping[str, Any]) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                if refused := bool(failures):
                    await _refuse(scope, send, _disk_full())
                elif self.context.disk.is_full:
                    message = {**message, "headers": [*message["headers"], _DISK_FULL]}
            if not refused:
                await send(message)

        return checked

    def _sender(self, scope: Scope, headers: Mapping[str, str]) -> Signed | None:
        """The signature of a request; None for the front door and for public keys. Raises Refusal for anyone else."""
        if scope["path"].startswith(_INTERNAL):
            raise Refusal(404, "There is no such path.")
        token = headers.get(TOKEN, "")
        if hmac.compare_digest(token.encode(), self.context.credentials.gateway_token.encode()):
            return None
        if not _OF_BROWSERS.isdisjoint(headers):
            raise Refusal(403, "Requests of web pages are refused.")
        if not is_loopback(headers.get("host", "")):
            raise Refusal(403, "The Host is not this machine's loopback address.")
        return None if _is_public_keys(scope) else self._signed(scope, headers)

    def _check_signature(self, scope: Scope, headers: Mapping[str, str], body: bytes, signed: Signed | None) -> None:
        """Raises Refusal."""
        signed_form.set(False)
        if signed is None:
            if _is_public_keys(scope) or _is_unsigned(scope, headers, body):
                return
            if _is_form(scope, headers):
                _check_form(headers["content-type"], body)
                return
            if scope["method"] not in ("GET", "HEAD"):
                raise Refusal(403, "The front door sends no such request.")
            signed = self._signed(scope, headers)
        signature, credential, query, in_header = signed
        if in_header:
            failure = sigv4.request_time_failure(signature)
        else:
            failure = ("AccessDenied", "expired") if _expired(query, signature.amz_date) else None
        failure = failure or sigv4.header_signature_failure(
            signature,
            credential.secret_access_key,
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            query,
            headers,
            body,
            presigned=not in_header,
        )
        if failure:
            raise Refusal(403, f"{failure[0]}: the signature does not match this request or has expired.")

    def _signed(self, scope: Scope, headers: Mapping[str, str]) -> Signed:
        """Raises Refusal for a request without a signature of a known key."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        in_header = headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
        signature = sigv4.parse_header_signature(headers) if in_header else sigv4.parse_query_signature(query)
        if isinstance(signature, tuple):
            raise Refusal(403, "The request is not signed with AWS Signature Version 4.")
        token = headers.get("x-amz-security-token", "") or query.get("X-Amz-Security-Token", [""])[0]
        credential = iam_evaluator.resolve_credential(signature.access_key_id, self.account, token)
        if isinstance(credential, CredentialResolutionError):
            raise Refusal(403, "The access key is not one of this data folder.")
        return Signed(signature, credential, query, in_header)


def _is_public_keys(scope: Scope) -> bool:
    """Whether this reads the public keys of a user pool, which functions fetch unsigned."""
    path: str = scope["path"]
    return scope["method"] == "GET" and path.endswith(_KEYS) and path.count("/") == 3


def _is_unsigned(scope: Scope, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether this is a call of the HTTP API, or part of signing in."""
    if headers.get("host", "").endswith(".execute-api.localhost"):
        return True
    return (
        sign_in.is_path(scope["path"])
        and scope["method"] in sign_in.allowed_methods(scope["path"])
        and sign_in.is_plain(
            headers.get("authorization", ""),
            scope["query_string"].decode("latin-1"),
            headers.get("content-type", ""),
            body,
        )
    )


def _is_form(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether this uploads a form to a bucket."""
    return (
        scope["method"] == "POST"
        and not scope["query_string"]
        and scope["path"].removeprefix("/") in s3._buckets
        and headers.get("content-type", "").startswith("multipart/form-data")
    )


def _disk_full() -> Refusal:
    return Refusal(503, "The disk is full.")


def _writes(scope: Scope, body: bytes) -> bool:
    """Whether a request of an AWS SDK may change something; calls of functions write by requests of their own."""
    if scope["method"] in ("GET", "HEAD") or scope["path"].startswith("/2015-03-31/functions/"):
        return False
    headers = _joined(scope["headers"])
    if TOKEN in headers and headers.get("host", "").endswith(".execute-api.localhost"):
        return False
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    if not action and (found := re.search(rb"(?:^|&)Action=(\w+)", body)):
        action = found[1].decode()
    return not action.startswith(_READS)


def _check_form(content_type: str, body: bytes) -> None:
    """Raises Refusal for an upload form without a signature; S3 checks the signature itself."""
    fields = {name.lower() for name, *_ in s3._parse_multipart_form(content_type, body)}
    if not fields >= {"policy", "x-amz-credential", "x-amz-signature"}:
        raise Refusal(403, "The form is not signed with AWS Signature Version 4.")
    signed_form.set(True)


def _expired(query: Mapping[str, list[str]], signed_at: str) -> bool:
    try:
        start = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        return time.time() > start + int(query.get("X-Amz-Expires", ["0"])[0])
    except ValueError:
        return True


def _joined(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; SigV4 signs a repeated header as its values joined by a comma."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def _forwarded(scope: Scope) -> Scope:
    """Without the token, and without `Connection`, which a function on AWS never receives."""
    hidden = (TOKEN.encode(), b"connection")
    return {**scope, "headers": [header for header in scope["headers"] if header[0].lower() not in hidden]}


async def _whole_body(receive: Receive) -> bytes:
    """Raises ConnectionAbortedError when the client leaves before it has sent what it announced, and Refusal."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MAX_BODY:
            raise Refusal(413, f"A request may have {_MAX_BODY} bytes.")
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await receive()

    return replayed


async def _refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Answers in the protocol of the service that the request is for."""
    headers = _joined(scope["headers"])
    error = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        kind, body = b"text/xml", f"<ErrorResponse>{error}</ErrorResponse>".encode()
    elif "/s3/aws4_request" in headers.get("authorization", "") or b"%2Fs3%2Faws4_request" in scope["query_string"]:
        kind, body = b"application/xml", error.encode()
    else:
        kind = b"application/json"
        body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
    headers_sent = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    headers_sent += [_DISK_FULL] if refusal.status == 503 else []
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers_sent})
    await send({"type": "http.response.body", "body": body})
