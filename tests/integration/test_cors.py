"""CORS: pages of the allowed origins may call the API, and no others; it can be turned on and off."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import site
from local.cors import Cors
from local.front import FrontDoor
from local.openapi import routes
from local.stack import Stack, deploy
from local.template import package
from local.testing import deployed

APP = "https://app.example"
DEV = "http://localhost:5173"
PARAMETERS = {"PublicUrl": "http://localhost:3000"}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def cors(self) -> dict[str, str]:
        """The CORS headers."""
        return {name: value for name, value in self.headers.items() if name.startswith("access-control-")}


def ask(front: FrontDoor, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in ({"host": "localhost:3000"} | headers).items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(front(scope, receive, send))
    held = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], held, sent[1]["body"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("cors"), {"AllowedOrigins": f"{APP},{DEV}"}) as stack:
        yield stack


@pytest.fixture
def front(shared: Stack) -> Iterator[FrontDoor]:
    with closing(FrontDoor(shared, site.FOLDER, Cors.of(shared))) as front:
        yield front


@pytest.mark.parametrize("origin", [APP, DEV])
def test_a_preflight_of_an_allowed_origin_is_granted(front: FrontDoor, origin: str) -> None:
    answer = ask(front, "OPTIONS", "/ai/generate", {"origin": origin, **PREFLIGHT})
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert answer.cors == {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET,HEAD,POST,PUT,PATCH,DELETE",
        "access-control-allow-headers": "authorization,content-type,idempotency-key,if-match,prefer",
        "access-control-max-age": "3600",
    }


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{APP}/", f"{APP}:443", "http://app.example", APP.upper()]
)
def test_a_preflight_of_another_origin_is_granted_nothing(front: FrontDoor, origin: str) -> None:
    answer = ask(front, "OPTIONS", "/ai/generate", {"origin": origin, **PREFLIGHT})
    assert (answer.status, answer.cors) == (403, {})


def test_an_allowed_page_calls_the_api_and_reads_its_answers(front: FrontDoor) -> None:
    made = ask(front, "POST", "/ai/datasets", {"origin": APP, "sec-fetch-site": "cross-site"}, b'{"name": "x"}')
    assert made.status == 201
    assert made.headers["access-control-allow-origin"] == APP
    assert "origin" in made.headers["vary"]
    failed = ask(front, "GET", "/ai/generated-images?limit=0", {"origin": DEV})
    assert (failed.status, failed.headers["access-control-allow-origin"]) == (422, DEV)
    missing = ask(front, "DELETE", "/ai/generate", {"origin": DEV})
    assert (missing.status, missing.headers["access-control-allow-origin"]) == (405, DEV)


def test_an_allowed_page_uploads_a_reference_image(front: FrontDoor) -> None:
    bucket = front.stack.outputs["Bucket"]
    answer = ask(
        front, "POST", f"/{bucket}", {"origin": APP, "content-type": "multipart/form-data; boundary=x"}, b"--x--"
    )
    assert answer.headers["access-control-allow-origin"] == APP
    assert ask(front, "OPTIONS", f"/{bucket}", {"origin": APP, **PREFLIGHT}).status == 204


def test_another_page_reads_and_changes_nothing(front: FrontDoor) -> None:
    evil = {"origin": "https://evil.example"}
    assert ask(front, "GET", "/ai/generated-images", evil).cors == {}
    refused = ask(front, "POST", "/ai/datasets", evil, b'{"name": "x"}')
    assert (refused.status, json.loads(refused.body)["code"], refused.cors) == (403, "cross_origin", {})
    for target in ("/", "/config.json", "/images/none.png"):
        assert ask(front, "GET", target, {"origin": APP}).cors == {}


def test_what_is_granted_is_what_the_routes_and_answers_have(shared: Stack) -> None:
    held = Cors.of(shared).configuration
    assert set(held["AllowMethods"]) == {method.upper() for _, method, _, _ in routes()} | {"HEAD"}
    sources = [
        path.read_text() for folder in ("layers/core/imagetrail", "functions") for path in Path(folder).glob("*.py")
    ]
    sent = {
        name
        for name in (
            "allow",
            "content-disposition",
            "etag",
            "location",
            "retry-after",
            "preference-applied",
            "idempotent-replayed",
            "ratelimit",
            "ratelimit-policy",
            "www-authenticate",
        )
        if any(f'"{name}"' in source for source in sources)
    }
    assert set(held["ExposeHeaders"]) == sent


def test_it_is_off_by_default_and_can_be_turned_off(tmp_path: Path) -> None:
    with deployed(tmp_path / "data") as stack:
        assert Cors.of(stack).configuration == {}
        with closing(FrontDoor(stack, site.FOLDER, Cors.of(stack))) as door:
            answer = ask(door, "OPTIONS", "/ai/generate", {"origin": APP, **PREFLIGHT})
        assert (answer.status, answer.cors) == (403, {})
        deploy(stack, PARAMETERS | {"AllowedOrigins": APP})
        assert Cors.of(stack).configuration["AllowOrigins"] == [APP]
        deploy(stack, PARAMETERS)
        assert Cors.of(stack).configuration == {}


def test_without_origins_the_api_has_no_cors_at_all() -> None:
    built = package({"AllowedOrigins": ""}, "http://127.0.0.1:1").template["Resources"]["Api"]["Properties"]
    assert built["CorsConfiguration"]["Fn::If"][0] == "CrossOrigin"
    assert built["CorsConfiguration"]["Fn::If"][2] == {"Ref": "AWS::NoValue"}
