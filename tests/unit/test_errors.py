"""Errors: one documented code each, and one shape on the wire."""

import inspect
import json
import re
from typing import Any

import pytest

from imagetrail import answers, errors, http, openapi_document
from imagetrail.errors import ImagetrailError, hierarchy

EVERY = list(hierarchy())
STATUS_OF_CODE = {
    "internal_error": 500,
    "malformed_request": 400,
    "invalid_cursor": 400,
    "unauthenticated": 401,
    "invalid_signature": 401,
    "forbidden": 403,
    "account_erased": 403,
    "cross_origin": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "request_in_progress": 409,
    "precondition_failed": 412,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "content_blocked": 422,
    "idempotency_key_reused": 422,
    "model_gone": 422,
    "quota_exhausted": 429,
    "budget_exhausted": 429,
    "service_unavailable": 503,
    "model_failed": 503,
}


def on_the_wire(error: ImagetrailError) -> tuple[dict[str, Any], dict[str, str]]:
    answer = http.problem(error, "request-1").as_event()
    assert answer["statusCode"] == error.status
    return json.loads(answer["body"]), answer["headers"]


def test_codes_and_statuses_are_the_documented_ones() -> None:
    """Callers branch on codes: one may be added, none may change."""
    assert {error.code: error.status for error in EVERY} == STATUS_OF_CODE
    assert len(EVERY) == len(STATUS_OF_CODE)


def test_the_tree_in_the_documentation_is_the_hierarchy() -> None:
    tree = re.findall(r"(\w+) +(\d{3}) (\w+)", inspect.getdoc(errors) or "")
    assert sorted(tree) == sorted((error.__name__, str(error.status), error.code) for error in EVERY)


def test_the_openapi_document_enumerates_the_codes() -> None:
    problem = json.loads(openapi_document.text())["components"]["schemas"]["Problem"]
    assert set(problem["properties"]["code"]["enum"]) == set(STATUS_OF_CODE)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.code)
def test_every_error_has_the_same_shape(kind: type[ImagetrailError]) -> None:
    body, headers = on_the_wire(kind("What happened."))
    assert body == {
        "type": "about:blank",
        "title": kind.title,
        "status": kind.status,
        "detail": "What happened.",
        "code": kind.code,
        "request_id": "request-1",
    }
    answers.Problem.model_validate(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert ("www-authenticate" in headers) is (kind.status == 401)
    assert ("retry-after" in headers) is (kind.status == 503 or kind.code == "request_in_progress")


def test_what_only_some_errors_carry() -> None:
    error = errors.Invalid("Look.", errors=[("prompt", "must not be blank"), ("seed", "must be a whole number")])
    assert on_the_wire(error)[0]["errors"] == [
        {"field": "prompt", "message": "must not be blank"},
        {"field": "seed", "message": "must be a whole number"},
    ]
    assert on_the_wire(errors.QuotaExhausted("Used up.", retry_after=3600))[1]["retry-after"] == "3600"
    assert on_the_wire(errors.MethodNotAllowed("No.", headers={"allow": "GET, POST"}))[1]["allow"] == "GET, POST"
    assert int(on_the_wire(errors.Unavailable())[1]["retry-after"]) > 0
