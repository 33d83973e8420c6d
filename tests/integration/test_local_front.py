"""The front door: what it lets through, what it hides, and how it answers when nobody is behind it."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from shutil import copytree
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from local import site
from local.credentials import Credentials
from local.front import MAX_ANSWER, FrontDoor
from local.requests import MAX_BODY
from local.stack import Stack
from local.template import ROOT
from local.testing import Service, deployed
from local.upstream import Reply

PIXELS = b"0123456789"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of a problem, which it must be, whole and without a trace of what is behind the door."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = json.loads(self.body)
        assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
        assert problem["status"] == self.status
        assert not [word for word in ("amz", "arn:", "imagetrail-", "Traceback", "127.0.0.1") if word in str(problem)]
        code: str = problem["code"]
        return code


@dataclass(frozen=True)
class Door:
    """Sends what no well-behaved client would."""

    url: str

    def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        where = urlsplit(self.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=30)
        skip_host = "host" in (headers or {})
        connection.putrequest(method, target, skip_host=skip_host, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


@pytest.fixture(scope="module")
def door(service: Service) -> Door:
    stack = service.stack
    for key in ("images/a.png", "thumbnails/a.webp", "references/a.png", "exports/a.csv", "lake/a", "images/b/c.png"):
        stack.client("s3").put_object(
            Bucket=stack.outputs["Bucket"],
            Key=key,
            Body=PIXELS,
            ContentType="image/png",
            CacheControl="public, max-age=31536000, immutable",
            Metadata={"owner": "alice"},
            Tagging="owner=alice",
        )
    return Door(service.url)


def test_pixels_are_served_as_they_are_stored(door: Door) -> None:
    answer = door.ask("GET", "/images/a.png")
    assert (answer.status, answer.body) == (200, PIXELS)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-length"] == "10"
    assert not [name for name in answer.headers if name.startswith("x-amz") or name == "server"]
    assert door.ask("GET", "/thumbnails/a.webp?versionId=1&acl").body == PIXELS
    head = door.ask("HEAD", "/images/a.png")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "10")
    etag = {"if-none-match": answer.headers["etag"]}
    assert door.ask("GET", "/images/a.png", etag).status == 304
    part = door.ask("GET", "/images/a.png", {"range": "bytes=2-4"})
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert door.ask("GET", "/images/a.png", {"range": "bytes=99-"}).status == 416


def test_no_request_reaches_another_service_by_way_of_sign_in_or_a_form(door: Door, service: Service) -> None:
    """As another user of the machine would try: without an account, and without a browser."""
    iam, bucket = service.stack.client("iam"), service.stack.outputs["Bucket"]
    fields = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\nx\r\n'
        for name in ("key", "policy", "x-amz-credential", "x-amz-signature")
    )
    form = f"<Delete><Object><Key>images/a.png</Key></Object><X><![CDATA[\r\n{fields}--b--\r\n]]></X></Delete>".encode()
    multipart = {"authorization": "Bearer x", "content-type": "multipart/form-data; boundary=b"}
    create = "Action=CreateUser&UserName=intruder&Version=2010-05-08"
    key = f"X-Amz-Credential={service.stack.credentials.access_key_id}%2F20260101%2Fus-east-1%2Fiam%2Faws4_request"
    for method, target, headers, body in (
        ("POST", f"/logout?{create}", multipart, form),
        ("POST", f"/login?{create}", multipart, form),
        ("GET", f"/logout?{create}&{key}", {"authorization": "Bearer x"}, b""),
        ("GET", f"/oauth2/authorize?{create}&{key}", {"authorization": "Bearer x"}, b""),
        ("POST", "/oauth2/token", {"content-type": "application/x-www-form-urlencoded"}, f"{create}&{key}".encode()),
        ("POST", f"/{bucket}?delete", multipart, form),
        ("POST", f"/{bucket}", multipart, form),
    ):
        assert door.ask(method, target, headers, body).status in (400, 403, 405)
    assert "intruder" not in [user["UserName"] for user in iam.list_users()["Users"]]
    assert door.ask("GET", "/images/a.png").body == PIXELS
    assert door.ask("GET", "http://[", {"host": "localhost"}).code == "malformed_request"


@pytest.mark.parametrize(
    "target",
    [
        "/references/a.png",
        "/exports/a.csv",
        "/lake/a",
        "/images/../lake/a",
        "/images/..%2flake%2fa",
        "/images/%2e%2e/lake/a",
        "/images/%252e%252e/lake/a",
        "/images/..;/lake/a",
        "/images\\..\\lake\\a",
        "/images/./a.png",
        "/images//a.png",
        "//images/a.png",
        "/images/a.png/",
        "/images/a.png%00",
        "/images/a%2Epng",
        "/images/",
        "/images",
        "/images/..",
        "/IMAGES/a.png",
        "/images/b/c.png",
        "/images/none.png",
        "http://localhost/lake/a",
        "ftp://localhost/images/a.png",
        "/../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/web/../index.html",
        "/.gitignore",
        "/nothing",
        "*",
    ],
)
def test_nothing_else_of_the_bucket_or_the_disk_is_served(door: Door, target: str) -> None:
    answer = door.ask("GET", target)
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("target", ["/images/a.png", "/thumbnails/a.webp", "/", "/config.json"])
def test_pixels_and_pages_can_only_be_read(door: Door, method: str, target: str) -> None:
    answer = door.ask(method, target, body=b"x")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_pages_may_run_nothing_foreign(door: Door) -> None:
    page = door.ask("GET", "/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-cache"
    for name in re.findall(rb'"(/assets/[^"]+)"', page.body):
        assert "immutable" in door.ask("GET", name.decode()).headers["cache-control"]


def test_the_pages_hear_where_to_sign_in(door: Door, service: Service) -> None:
    config = json.loads(door.ask("GET", "/config.json").body)
    assert config["client_id"] == config["audience"] == service.stack.outputs["PagesClientId"]
    found = json.loads(door.ask("GET", config["discovery"]).body)
    assert found["issuer"] == config["issuer"]
    assert door.ask("GET", "/").headers["content-security-policy"].endswith("connect-src 'self'")
    assert found["token_endpoint"] == f"{service.url}/oauth2/token"


def test_the_api_hears_what_was_said(door: Door) -> None:
    bad = door.ask("GET", "/ai/generated-images?limit=%31&limt=%C3%A9")
    assert (bad.status, json.loads(bad.body)["errors"][0]["field"]) == (422, "limt")
    assert door.ask("GET", "/ai/generated-images/%2e%2e").status == 422
    assert door.ask("GET", "/ai/../_ministack/health").status == 404
    assert door.ask("OPTIONS", "/ai/generated-images").headers["allow"] == "GET, HEAD"
    assert door.ask("OPTIONS", "/ai/generated-images/batch").headers["allow"] == "POST"
    traced = door.ask("TRACE", "/ai/generated-images?limit=5")
    assert (traced.status, traced.headers["allow"]) == (405, "GET, HEAD")
    gzip = {"content-type": "application/json", "content-encoding": "gzip"}
    assert door.ask("POST", "/ai/datasets", gzip, b"\x1f\x8b\x08\x00\xff").status == 415
    assert not [name for name in door.ask("OPTIONS", "/ai/datasets").headers if name.startswith("access-control")]
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, Signature=0"}
    assert door.ask("GET", "/ai/generated-images", signed).code == "unauthenticated"
    assert door.ask("GET", "/ai/datasets", {"x-amz-target": "DynamoDB_20120810.ListTables"}).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/ai/generated-images",
        "/ai/generated-images?limit=0",
        "/ai/generated-images/export?format=jsonl",
        "/ai/generated-images/search?q=fox",
        "/ai/openapi.json",
        "/ai/models",
        "/ai/datasets/019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11",
        "/ai/nothing",
    ],
)
def test_head_is_get_without_its_body(door: Door, target: str) -> None:
    full, head = door.ask("GET", target), door.ask("HEAD", target)
    assert (head.status, head.body) == (full.status, b"")
    if full.status < 400:  # a problem's request_id is as long
        assert head.headers.keys() == full.headers.keys()
        assert int(head.headers["content-length"]) == len(full.body)


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_a_foreign_page_changes_nothing(door: Door, headers: dict[str, str]) -> None:
    body = b'{"name": "theirs"}'
    refused = door.ask("POST", "/ai/datasets", headers | {"content-type": "text/plain"}, body)
    assert (refused.status, refused.code) == (403, "cross_origin")
    for own in (door.url, door.url.replace("localhost", "127.0.0.1")):
        where = urlsplit(own).netloc
        taken = Door(own).ask("POST", "/ai/datasets", {"origin": own, "host": where}, b'{"name": "ours"}')
        assert taken.status == 201
    assert door.ask("POST", "/ai/datasets", {"origin": own, "x-viewer-host": where}, body).status == 403


def raw(door: Door, request: str, body: bytes = b"") -> tuple[int, bytes]:
    """The status and the body of what a socket is answered; `{port}` in the request is the front door's."""
    where = urlsplit(door.url)
    with socket.create_connection((where.hostname or "", where.port or 0), 30) as connection:
        close = "" if "Connection:" in request else "\nConnection: close"
        head = (request.format(port=where.port) + close + "\n\n").replace("\n", "\r\n")
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head_of_answer, _, content = answer.partition(b"\r\n\r\n")
    return int(head_of_answer.split(b" ")[1]), content


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /images/a.png HTTP/1.1\nHost: localhost", 200),
        ("GET /images/a.png HTTP/1.1\nHost: 127.0.0.1:{port}", 200),
        ("GET /images/a.png HTTP/1.1\nHost: LOCALHOST:{port}", 200),
        ("GET /images/a.png HTTP/1.1\nHost: evil.example", 403),
        ("GET /images/a.png HTTP/1.1\nHost: evil.example:{port}", 403),
        ("GET /images/a.png HTTP/1.1\nHost: localhost.evil.example:{port}", 403),
        ("GET /images/a.png HTTP/1.1\nHost: evil.localhost:{port}", 403),
        ("GET /images/a.png HTTP/1.1\nHost: localhost@evil.example", 403),
        ("GET /config.json HTTP/1.1\nHost: [::1", 403),
        ("GET /config.json HTTP/1.0", 403),
        ("GET /ai/generated-images HTTP/1.1\nHost: evil.example", 403),
        ("GET http://localhost:{port}/images/a.png HTTP/1.1\nHost: ignored.example", 200),
        ("GET http://evil.example/images/a.png HTTP/1.1\nHost: localhost", 403),
        ("GET /images/a.png HTTP/1.1\nHost: localhost\nHost: localhost", 400),
        ("GET /images/a.png HTTP/1.1", 400),
        ("GET /ai/generated-images?q=größe HTTP/1.1\nHost: localhost", 400),
    ],
)
def test_hosts_and_targets(door: Door, request_line: str, status: int) -> None:
    answered, body = raw(door, request_line)
    assert answered == status
    if status != 200:
        assert json.loads(body)["status"] == status


def test_a_websocket_is_refused(door: Door) -> None:
    upgrade = "Upgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    assert raw(door, f"GET /ai/datasets HTTP/1.1\nHost: localhost\n{upgrade}\nConnection: Upgrade")[0] in (400, 403)


def test_a_request_that_breaks_off_is_not_carried_out(door: Door, service: Service) -> None:
    def datasets() -> int:
        return int(json.loads(door.ask("GET", "/ai/datasets?visibility=public&limit=200").body)["count"])

    before = datasets()
    where = urlsplit(door.url)
    body = b'{"name": "broken off"}'
    head = b"POST /ai/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    for announced in (5000, len(body) + 1):
        with socket.create_connection((where.hostname or "", where.port or 0), 30) as connection:
            connection.sendall(head + b"%d\r\n\r\n" % announced + body)
    assert door.ask("POST", "/ai/datasets", {"content-type": "application/json"}, b'{"name": "whole"}').status == 201
    assert datasets() == before + 1
    assert "broken off" not in str(
        service.stack.client("dynamodb").scan(TableName=service.stack.outputs["DatasetsTable"])
    )


def test_ten_megabytes_and_no_more(door: Door) -> None:
    kind = {"content-type": "application/json"}
    assert door.ask("POST", "/ai/datasets", kind, b" " * MAX_BODY).status == 413
    over = door.ask("POST", "/ai/datasets", kind, b" " * (MAX_BODY + 1))
    assert (over.status, over.code) == (413, "too_large")


async def _through(front: FrontDoor, method: str, target: str) -> Answer:
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await front(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, sent[1]["body"])


def stack_at(endpoint: str) -> Any:
    """As much of a stack as the front door needs for a call."""
    outputs = {"Url": "http://localhost:3000", "UserPoolId": "pool"}
    return SimpleNamespace(
        endpoint=endpoint, credentials=Credentials("AKIA", "x"), outputs=outputs, resources={"Api": "x"}
    )


async def _given(body: bytes, monkeypatch: pytest.MonkeyPatch) -> Answer:
    reply = Reply(200, [("content-type", "application/json")], body)
    monkeypatch.setattr("local.front.exchange", lambda *_request: reply)
    with closing(FrontDoor(stack_at("http://127.0.0.1:1"), site.FOLDER)) as front:
        return await _through(front, "GET", "/ai/generated-images")


def test_an_answer_may_be_as_long_as_lambda_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = b"x" * (MAX_ANSWER - len(b'""'))
    assert asyncio.run(_given(whole, monkeypatch)).body == whole
    for over in (whole + b"x", b'"' * (len(whole) // 2 + 1)):  # a quote takes two bytes in JSON
        answer = asyncio.run(_given(over, monkeypatch))
        assert (answer.status, answer.code) == (500, "internal_error")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Handlers that fail as no handler of ours does."""
    root = tmp_path_factory.mktemp("broken")
    copytree(ROOT / "infra", root / "infra")
    copytree(ROOT / "functions", root / "functions")
    (root / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    (root / "functions" / "list_images.py").write_text("def handler(event, context): raise ValueError('arn:secret')")
    (root / "functions" / "list_datasets.py").write_text("import nothing_of_that_name")
    (root / "functions" / "get_openapi.py").write_text("import os\ndef handler(event, context): os._exit(3)")
    with deployed(root / "data", root=root) as stack:
        yield stack


@pytest.mark.parametrize("target", ["/ai/generated-images", "/ai/datasets", "/ai/openapi.json"])
def test_a_failing_function_tells_nothing(broken: Stack, target: str) -> None:
    with closing(FrontDoor(broken, site.FOLDER)) as front:
        answer = asyncio.run(_through(front, "GET", target))
    assert (answer.status, answer.code) == (500, "internal_error")


def test_without_an_emulator_the_door_still_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with closing(FrontDoor(stack_at(endpoint), site.FOLDER)) as front:
        answer = asyncio.run(_through(front, "GET", "/ai/generated-images"))
    assert (answer.status, answer.code) == (502, "service_unavailable")


def test_a_request_under_way_is_answered_when_the_service_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.front.STOP_WITHIN", 0.05)

    async def stop_meanwhile(front: FrontDoor) -> Answer:
        asyncio.get_running_loop().call_later(0.05, front.stopping.set)
        return await _through(front, "GET", "/ai/generated-images")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        front = FrontDoor(stack_at(f"http://127.0.0.1:{silent.getsockname()[1]}"), site.FOLDER)
        answer = asyncio.run(stop_meanwhile(front))
    front.close()
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert answer.headers["retry-after"] == "10"


def test_an_emulator_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.front.MAX_WAIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with closing(FrontDoor(stack_at(endpoint), site.FOLDER)) as front:
            answer = asyncio.run(_through(front, "GET", "/ai/generated-images"))
    assert (answer.status, answer.code) == (504, "service_unavailable")
