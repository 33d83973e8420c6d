"""What several unit tests need: requests as API Gateway sends them, and a deployment without AWS."""

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol

import pytest

from imagetrail import telemetry
from imagetrail.wiring import deployment

Event = dict[str, Any]

ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "IMAGES_TABLE": "images-table",
    "DATASETS_TABLE": "datasets-table",
    "LEDGER_TABLE": "ledger-table",
    "REPORTS_TABLE": "reports-table",
    "BUCKET": "pixel-bucket",
    "AUTH_ISSUER": "https://issuer.example",
    "AUTH_AUDIENCE": "imagetrail",
}


class MakeEvent(Protocol):
    """Makes a request; `query`, `path` and `headers` as API Gateway decodes them."""

    def __call__(
        self,
        body: str | bytes | None = None,
        *,
        query: dict[str, str] | None = None,
        path: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        encoded: bool = False,
        route: str = "POST /ai/generate",
        raw_path: str = "/ai/generate",
    ) -> Event: ...


class Context:
    """The one thing that a handler asks of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        return int(timedelta(seconds=29).total_seconds() * 1000)


@pytest.fixture(scope="session")
def context() -> Context:
    return Context()


@pytest.fixture(scope="session")
def event() -> MakeEvent:
    def make(
        body: str | bytes | None = None,
        *,
        query: dict[str, str] | None = None,
        path: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        encoded: bool = False,
        route: str = "POST /ai/generate",
        raw_path: str = "/ai/generate",
    ) -> Event:
        if isinstance(body, bytes):
            body, encoded = base64.b64encode(body).decode(), True
        request: Event = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": raw_path,
            "rawQueryString": "",
            "headers": {"host": "api.example", **(headers or {})},
            "requestContext": {
                "http": {"method": route.partition(" ")[0], "path": raw_path},
                "requestId": "request-1",
                "routeKey": route,
            },
            "stageVariables": {"PublicUrl": "https://pictures.example"},
            "isBase64Encoded": encoded,
        }
        if query is not None:
            request["queryStringParameters"] = query
        if path is not None:
            request["pathParameters"] = path
        if body is not None:
            request["body"] = body
        return request

    return make


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment of a deployed function; its endpoint refuses every connection."""
    for name in ("AWS_SESSION_TOKEN", "AUTH_JWKS_URL", "AUTH_SECRET_NAME", "LOCAL_RUN", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    deployment.cache_clear()
    yield monkeypatch
    deployment.cache_clear()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Reads the log lines that were written since."""
    stream = io.StringIO()
    for handler in telemetry.logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            monkeypatch.setattr(handler, "stream", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
