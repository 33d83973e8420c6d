"""Reports over HTTP: what a user reads after some images were made, as JSON and as CSV, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.analytics.reports import SHAPES
from local.token import token
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from tests.conftest import Service


def call(service: Service, path: str, bearer: str | None = None, body: Any = None) -> tuple[int, str, bytes]:
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{service.url}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers["content-type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read()


def fold(service: Service) -> None:
    """What the schedule does once an hour."""
    stack = service.stack
    answer = stack.client("lambda").invoke(FunctionName=stack.resources["FoldDays"], Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_what_was_made_is_reported_to_who_made_it(service: Service) -> None:
    user = f"user-{uuid4()}"
    bearer = token(service.folder, user, [])
    for prompt in ("a quokka on a hill", "a quokka by the sea"):
        made = call(service, "/ai/generate", bearer, {"prompt": prompt, "style": "oil"})
        assert made[0] == 201

    def report() -> Any:
        fold(service)
        status, kind, body = call(service, "/ai/analytics/prompts", bearer)
        assert (status, kind) == (200, "application/json")
        return json.loads(body)

    until(lambda: report()["total"]["records"] == 2)
    told = report()
    assert {row["term"]: row["records"] for row in told["rows"]} == {"quokka": 2, "hill": 1, "sea": 1}
    status, kind, body = call(service, "/ai/analytics/settings?format=csv&sort=images", bearer)
    assert (status, kind) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert ("style", "oil", "2") in [(row["setting"], row["value"], row["images"]) for row in rows]
    assert len(call(service, "/ai/analytics/prompts?format=csv&limit=2", bearer)[2].splitlines()) == 1 + 2
    everybody = json.loads(call(service, "/ai/analytics/users?limit=1000", token(service.folder, "root", ["admin"]))[2])
    assert user in [row["user_id"] for row in everybody["rows"]]
    assert user not in call(service, "/ai/analytics/users")[2].decode()


@pytest.mark.parametrize("report", SHAPES)
def test_every_report_answers_everybody(service: Service, report: str) -> None:
    for by in ("", "?by=week"):
        assert call(service, f"/ai/analytics/{report}{by}")[0] == 200
    status, _, body = call(service, f"/ai/analytics/{report}?format=csv&from=2001-01-01&to=2001-02-01")
    assert status == 200
    header, *rows = body.decode().splitlines()
    assert "records" in header.split(",")
    assert len(rows) == (31 if report == "volume" else 0)


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("weather", "report", "must be one of volume, users"),
        ("models?from=2026-02-02&to=2026-02-01", "to", "must be later than from"),
        ("models?from=2026-02-02T10:00:00Z", "from", "must be a date such as"),
        ("models?from=2026-02-30", "from", "must be a date such as"),
        ("models?from=1999-12-31", "from", "not before the year 2000"),
        ("models?from=2020-01-01&to=2026-01-01", "to", "must be at most 366 days after from"),
        ("models?from=2000-01-01", "from", "give `to`, at most 366 days later"),
        ("models?by=decade", "by", "must be one of day, week, month"),
        ("models?sort=beauty", "sort", "must be one of records"),
        ("models?dimension=model", "dimension", "is not a known query parameter"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_change(
    service: Service, path: str, field: str, message: str
) -> None:
    status, _, body = call(service, f"/ai/analytics/{path}")
    (error,) = json.loads(body)["errors"]
    assert (status, error["field"]) == (422, field)
    assert message in error["message"]


def test_the_figures_of_others_are_an_admins(service: Service) -> None:
    for bearer in (None, token(service.folder, "mallory", [])):
        assert call(service, "/ai/analytics/users?user_id=alice", bearer)[0] == 403
