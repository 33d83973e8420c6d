"""A page of another origin cannot make the service do anything; what is no browser is not affected."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions import export_images, favorite_image, generate_image, list_images, reject_route
from imagetrail.endpoints import Endpointed, endpoint
from imagetrail.http import Request, Response
from imagetrail.wiring import deployment
from local import openapi
from tests.unit.conftest import Context, Event, MakeEvent

OWN = "https://pictures.example"  # the PublicUrl of the events' stage
ALLOWED = "https://app.example"
Headers = dict[str, str]


@pytest.fixture
def origins(environment: pytest.MonkeyPatch) -> Iterator[None]:
    """A deployment that allows two origins."""
    environment.setenv("ALLOWED_ORIGINS", f"{ALLOWED},http://localhost:5173")
    deployment.cache_clear()
    yield
    deployment.cache_clear()


@endpoint(answers={200: "Echo"})
def effect(_request: Request) -> Response:
    """Stands for whatever changes something."""
    return Response(200, {})


def ask(handler: Endpointed, event: Event) -> tuple[int, dict[str, Any]]:
    answer = handler(event, Context())
    return answer["statusCode"], json.loads(answer["body"])


REFUSED: dict[str, Headers] = {
    "a foreign page": {"origin": "https://evil.example"},
    "a foreign page that says where it stands": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "a sandboxed frame or a file": {"origin": "null"},
    "an empty origin": {"origin": ""},
    "no origin from another site": {"sec-fetch-site": "cross-site"},
    "no origin from a neighbor": {"sec-fetch-site": "same-site"},
    "another port": {"origin": "https://pictures.example:8443", "sec-fetch-site": "same-site"},
    "another scheme": {"origin": "http://pictures.example"},
    "a subdomain": {"origin": "https://a.pictures.example"},
    "a longer name": {"origin": "https://pictures.example.evil.example"},
    "a name before it": {"origin": "https://evilpictures.example"},
    "a path": {"origin": "https://pictures.example/"},
    "two origins": {"origin": "https://pictures.example, https://evil.example"},
    "an allowed name in another scheme": {"origin": "http://app.example"},
    "the allowed names together": {"origin": f"{ALLOWED},http://localhost:5173"},
    "another port of this machine": {"origin": "http://localhost:4000", "x-viewer-host": "localhost:3000"},
    "another name of this machine": {"origin": "http://127.0.0.1:3000", "x-viewer-host": "localhost:3000"},
    "its own host without TLS": {"origin": "http://api.example", "x-forwarded-proto": "https"},
}
TAKEN: dict[str, Headers] = {
    "no browser": {},
    "the address bar": {"sec-fetch-site": "none"},
    "its own page without an origin": {"sec-fetch-site": "same-origin"},
    "its own page": {"origin": OWN, "sec-fetch-site": "same-origin"},
    "its own page at the default port": {"origin": "https://pictures.example:443"},
    "the host that was asked": {"origin": "https://api.example"},
    "the host that was asked, with TLS": {"origin": "https://api.example", "x-forwarded-proto": "https"},
    "the host that the edge was asked": {"origin": "http://127.0.0.1:3000", "x-viewer-host": "127.0.0.1:3000"},
    "an allowed origin": {"origin": ALLOWED, "sec-fetch-site": "cross-site"},
    "another allowed origin": {"origin": "http://localhost:5173", "sec-fetch-site": "same-site"},
}


@pytest.mark.usefixtures("origins")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_a_page_of_another_origin_changes_nothing(event: MakeEvent, headers: Headers, method: str) -> None:
    status, body = ask(effect, event(route=f"{method} /ai/effect", headers=headers))
    assert (status, body["code"]) == (403, "cross_origin")
    assert "AllowedOrigins" in body["detail"] or "origin" not in headers
    assert "evil" not in json.dumps(body)


@pytest.mark.usefixtures("origins")
@pytest.mark.parametrize("headers", TAKEN.values(), ids=TAKEN)
def test_everybody_else_does(event: MakeEvent, headers: Headers) -> None:
    assert ask(effect, event(headers=headers))[0] == 200


@pytest.mark.usefixtures("environment")
def test_no_other_origin_is_allowed_by_default(event: MakeEvent) -> None:
    assert ask(effect, event(headers={"origin": OWN}))[0] == 200
    for origin in (ALLOWED, "http://localhost:5173", "", "null"):
        assert ask(effect, event(headers={"origin": origin}))[0] == 403


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_any_page_may_send_a_read(event: MakeEvent, method: str) -> None:
    """What it answers is not shown to the page: that is for CORS."""
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert ask(effect, event(route=f"{method} /ai/effect", headers=headers))[0] == 200


@pytest.mark.usefixtures("environment")
def test_it_is_refused_before_anything_else(event: MakeEvent) -> None:
    """Before a token is looked at, and before the body is read."""
    headers = {"origin": "https://evil.example", "authorization": "Bearer x", "content-type": "text/plain"}
    for handler in (generate_image.handler, favorite_image.handler, reject_route.handler):
        assert ask(handler, event("{", headers=headers, query={"a": "b"}))[1]["code"] == "cross_origin"


@pytest.mark.usefixtures("environment")
def test_a_read_that_may_start_a_job_is_no_mere_read(event: MakeEvent) -> None:
    request = event(route="GET /ai/generated-images/export", headers={"sec-fetch-site": "cross-site"})
    assert ask(export_images.handler, request)[1]["code"] == "cross_origin"
    assert not list_images.handler.operation.changes_state("GET")


@pytest.mark.usefixtures("origins")
def test_a_preflight_that_reaches_the_default_route_succeeds(event: MakeEvent) -> None:
    """API Gateway hands it to $default, and adds the headers that its CORS configuration grants the origin."""
    preflight = {"origin": ALLOWED, "access-control-request-method": "POST"}
    request = event(route="OPTIONS /ai/generate", raw_path="/ai/generate", headers=preflight)
    assert reject_route.handler(request, Context())["statusCode"] == 204
    plain = event(route="OPTIONS /ai/generate", raw_path="/ai/generate", headers={"origin": ALLOWED})
    assert ask(reject_route.handler, plain)[0] == 405


@pytest.mark.usefixtures("environment")
def test_without_cors_a_preflight_is_a_method_like_any_other(event: MakeEvent) -> None:
    preflight = {"origin": ALLOWED, "access-control-request-method": "POST"}
    assert ask(reject_route.handler, event(route="OPTIONS /x", raw_path="/ai/generate", headers=preflight))[0] == 405


def test_every_route_of_the_template_that_changes_something_is_guarded() -> None:
    for _, method, _, handler in openapi.routes():
        changes = handler.operation.changes_state(method.upper())
        assert changes or method == "get"
        assert changes or 202 not in handler.operation.answers
