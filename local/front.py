"""The front door: one origin for the pages, the API and the pixels, where CloudFront stands on AWS.

`/ai/*` goes to the HTTP API as it came, `/images/*` and `/thumbnails/*` to objects of the bucket, for reading, what
is signed for the bucket itself (on AWS, for S3's own address) to the bucket, what signs a user in to the user pool, and
everything else to the pages. No answer shows that there is an emulator behind it. Foreign hosts and the pages of other
origins are refused before anything else looks at a request.
"""

import asyncio
import http.client
import re
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson

from imagetrail import http as api
from imagetrail import openapi_document
from imagetrail.errors import ImagetrailError, Malformed, MethodNotAllowed, NotFound, TooLarge, Unavailable
from local import sign_in, site
from local.cors import Cors
from local.emulator.headers import DISK, TOKEN
from local.origins import check_host, check_origin
from local.requests import DisconnectedError, Request, read
from local.stack import Stack
from local.upstream import Headers, Reply, exchange

MAX_ANSWER = 6_291_556  # bytes of JSON, Lambda's limit
MAX_WAIT = 30.0  # seconds, API Gateway's limit
STOP_WITHIN = 1.0  # seconds for a request under way; then its client is told to try again
RETRY_AFTER = 10  # seconds
MAX_CALLS = 16  # at a time: each is a process, and more of them would keep each other from answering in time

_PIXELS = re.compile(r"/((?:images|thumbnails)/[A-Za-z0-9_-][A-Za-z0-9._-]*)")
_PAGE = re.compile(r"/(?:assets/)?(?:[A-Za-z0-9_-][A-Za-z0-9._-]*)?")
_TEXT = re.compile(r"text/|application/(json|xml|javascript)\b", re.IGNORECASE)  # what a function gets as text
_NOT_FORWARDED = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        TOKEN,
        DISK,
    }
)
_ASKED_OF_PIXELS = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)
_SAID_OF_PIXELS = frozenset(
    {"accept-ranges", "cache-control", "content-disposition", "content-range", "content-type", "etag", "last-modified"}
)
_VIEWER_HOST = "x-viewer-host"
_ASKED_OF_USER_POOL = frozenset({"accept", "authorization", "content-type", "cookie", "host"})
_SAID_OF_USER_POOL = frozenset({"cache-control", "content-type", "location", "set-cookie", "www-authenticate"})
_SIGN_IN_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_ON_EVERYTHING = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
]


class Silent(ImagetrailError):
    """What the API stands on cannot be reached, or broke off."""

    status: ClassVar[int] = 502
    code = Unavailable.code
    title = Unavailable.title


class Late(Silent):
    """It did not answer in time."""

    status: ClassVar[int] = 504


@dataclass(frozen=True)
class FrontDoor:
    """An ASGI application."""

    stack: Stack
    pages: Path
    cors: Cors = field(default_factory=Cors)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(MAX_CALLS, "front"))

    def close(self) -> None:
        """Ends the threads that ask the emulator."""
        self._threads.shutdown()

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return
        try:
            request = await read(scope, receive)
            self._check(request)
            reply = self.cors.preflight(scope) or await self._answer(request)
        except ImagetrailError as error:
            reply = _problem(error)
        except DisconnectedError:
            return
        headers = [*self.cors.decorated(scope, reply.headers), *_ON_EVERYTHING]
        if reply.status not in (204, 304) and not any(name == "content-length" for name, _ in headers):
            headers.append(("content-length", str(len(reply.body))))
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    def _check(self, request: Request) -> None:
        """Raises Forbidden."""
        host, public_url = request.header("host"), self.stack.outputs["Url"]
        read = request.method in ("GET", "HEAD")
        check_host(host, public_url)
        check_origin(
            host,
            request.find("origin"),
            request.header("sec-fetch-site"),
            public_url=public_url,
            allowed=self.cors.origins,
            public=read and (request.header("sec-fetch-mode") == "navigate" or bool(_PIXELS.fullmatch(request.path))),
        )

    async def _answer(self, request: Request) -> Reply:
        if request.path == "/ai" or request.path.startswith("/ai/"):
            return await self._call(request)
        if self._is_signed(request):
            return await self._object(request)
        if sign_in.is_path(request.path):
            return await self._user_pool(request)
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("This can only be read.", headers={"allow": "GET, HEAD"})
        if pixels := _PIXELS.fullmatch(request.path):
            return await self._pixels(request, pixels[1])
        return self._page(request.path)

    async def _call(self, request: Request) -> Reply:
        if request.method == "OPTIONS":
            # The emulator grants every origin everything; API Gateway, without CORS, takes OPTIONS as any other method.
            raise openapi_document.rejection(request.method, request.path)
        is_plain = not request.header("content-encoding")
        if is_plain and not _is_utf8(request.body) and _TEXT.match(request.header("content-type")):
            # The emulator would put other characters in its place.
            raise Malformed("The body is not UTF-8.")
        host = f"{self.stack.resources['Api']}.execute-api.localhost"
        headers = [(name, value) for name, value in request.headers if name not in _NOT_FORWARDED | {_VIEWER_HOST}]
        headers += [("host", host), (_VIEWER_HOST, request.header("host"))]
        reply = await self._ask(request.method, request.target, headers, request.body)
        if reply.status >= 400 and not reply.header("content-type").startswith("application/problem+json"):
            raise _of_the_gateway(reply.status)
        if _as_answered(reply) > MAX_ANSWER:
            raise _of_the_gateway(500)
        dropped = _NOT_FORWARDED - {"content-length"} | {"date"}  # the front door says its own
        kept = [(name, value) for name, value in reply.headers if name not in dropped]
        return reply._replace(headers=kept)

    def _is_signed(self, request: Request) -> bool:
        """Whether this is for the bucket to judge: an uploaded form, or a read of a reference image or an export."""
        bucket = f"/{self.stack.outputs['Bucket']}"
        if request.method == "POST":
            is_form = request.header("content-type").startswith("multipart/form-data")
            return is_form and request.path == bucket and not request.query
        read = request.method in ("GET", "HEAD") and "X-Amz-Signature=" in request.query
        return read and request.path.startswith((f"{bucket}/references/", f"{bucket}/exports/"))

    async def _object(self, request: Request) -> Reply:
        headers = [(name, value) for name, value in request.headers if name in ("content-type", "host", "range")]
        reply = await self._ask(request.method, request.target, headers, request.body)
        said = _SAID_OF_PIXELS | ({"content-length"} if request.method == "HEAD" else set())
        return reply._replace(headers=[(name, value) for name, value in reply.headers if name in said])

    async def _user_pool(self, request: Request) -> Reply:
        methods, method = sign_in.allowed_methods(request.path), request.method
        if method == "HEAD":
            method = "GET"  # whose body is not sent on
        if method not in methods:
            raise MethodNotAllowed(f"Send {' or '.join(methods)}.", headers={"allow": ", ".join(methods)})
        content_type, authorization = request.header("content-type"), request.header("authorization")
        if not sign_in.is_plain(authorization, request.query, content_type, request.body):
            raise Malformed("This is no request of a sign-in.")
        headers = [(name, value) for name, value in request.headers if name in _ASKED_OF_USER_POOL]
        reply = await self._ask(method, request.target, headers, request.body)
        said = [(name, value) for name, value in reply.headers if name in _SAID_OF_USER_POOL]
        return reply._replace(headers=[*said, ("content-security-policy", _SIGN_IN_POLICY)])

    async def _pixels(self, request: Request, key: str) -> Reply:
        operation = "head_object" if request.method == "HEAD" else "get_object"
        where = {"Bucket": self.stack.outputs["Bucket"], "Key": key}
        url = urlsplit(self.stack.client("s3").generate_presigned_url(operation, Params=where))
        asked = [(name, value) for name, value in request.headers if name in _ASKED_OF_PIXELS]
        reply = await self._ask(request.method, f"{url.path}?{url.query}", [("host", url.netloc), *asked])
        if reply.status >= 500:
            raise ImagetrailError("The image is stored but cannot be read. The log of the service names its file.")
        if reply.status not in (200, 206, 304, 412, 416):
            raise NotFound("There is no such image.")
        if reply.status >= 400:
            return Reply(reply.status, [], b"")
        said = _SAID_OF_PIXELS | ({"content-length"} if request.method == "HEAD" else set())
        return reply._replace(headers=[(name, value) for name, value in reply.headers if name in said])

    def _page(self, path: str) -> Reply:
        name = path.removeprefix("/") or "index.html"
        file = self.pages / name
        if name == site.CONFIG:
            body = orjson.dumps(site.local_config(self.stack))
        elif _PAGE.fullmatch(path) and file.is_file():
            body = file.read_bytes()
        else:
            raise NotFound("There is no such page.")
        return Reply(200, [*site.headers(name), ("content-security-policy", self._policy)], body)

    @cached_property
    def _policy(self) -> str:
        return site.content_security_policy(self.stack)

    async def _ask(self, method: str, target: str, headers: Headers, body: bytes = b"") -> Reply:
        port = urlsplit(self.stack.endpoint).port or 0
        sent = [*headers, (TOKEN, self.stack.credentials.gateway_token)]
        if body:
            sent.append(("content-length", str(len(body))))
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, exchange, port, method, target, sent, body, MAX_WAIT)
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may outlive this call
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((asked, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                await asyncio.wait((asked,), timeout=STOP_WITHIN)
            if not asked.done():
                raise Unavailable("The service is stopping.", retry_after=RETRY_AFTER)
            reply = asked.result()
        except TimeoutError:
            raise Late(f"No answer within {MAX_WAIT:.0f} seconds.") from None
        except (OSError, http.client.HTTPException):
            raise Silent("Please try again shortly.") from None
        finally:
            stopping.cancel()
        if reply.status >= 500 and reply.header(DISK):
            raise Unavailable(
                "The disk is full. Free some space on the disk of the data folder; reads continue meanwhile.",
                retry_after=RETRY_AFTER,
            )
        return reply


def _as_answered(reply: Reply) -> int:
    """Bytes of JSON that the function answered: its body is a text there, of base64 for a file."""
    if reply.header("content-disposition"):
        return len(reply.body) * 4 // 3
    return len(orjson.dumps(reply.body.decode(errors="replace")))


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _of_the_gateway(status: int) -> ImagetrailError:
    """What an error of the emulator itself, whose text tells of its insides, becomes."""
    if status == 404:
        return NotFound("There is no such route.")
    if status == 413:
        return TooLarge("The request is too large.")
    if status in (429, 503):
        return Unavailable()
    return ImagetrailError("The call failed before it could answer.")


def _problem(error: ImagetrailError) -> Reply:
    answer = api.problem(error, str(uuid.uuid4())).as_event()
    return Reply(answer["statusCode"], list(answer["headers"].items()), answer["body"].encode())
