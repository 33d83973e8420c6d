"""A day is the viewer's, wherever they are and however long it is; the dashboard's days are those of UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.api import Api

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import Service

LIST = re.compile(r"/ai/generated-images\?")
FIGURES = dict.fromkeys(("records", "images", "kept"), 1) | dict.fromkeys(
    ("favorites", "favorite_rate", "cost_usd", "failed", "blocked"), 0
)


class Times:
    """Images created at these times, listed as the API lists them; `asked` holds the queries received."""

    def __init__(self, record: dict[str, Any], *times: str) -> None:
        self.asked: list[dict[str, str]] = []
        self._records = [
            {**record, "id": f"00000000-0000-7000-8000-{at:012}", "prompt": time, "created_at": time}
            for at, time in enumerate(sorted(times, reverse=True))
        ]

    def listed(self, page: Page) -> None:
        page.route(LIST, self._answer)

    def _answer(self, route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        if query.get("status") == "pending":
            return route.fulfill(json={"images": [], "count": 0, "next_cursor": None})
        self.asked.append(query)
        first, end = (datetime.fromisoformat(query[name]) if name in query else None for name in ("from", "to"))
        found = [
            one
            for one in self._records
            if (first is None or datetime.fromisoformat(one["created_at"]) >= first)
            and (end is None or datetime.fromisoformat(one["created_at"]) < end)
        ]
        return route.fulfill(json={"images": found, "count": len(found), "next_cursor": None})


@pytest.fixture(scope="module")
def record(service: Service) -> dict[str, Any]:
    return Api(service, "traveler").generate("A clock")


@pytest.mark.parametrize(
    ("zone", "day", "first", "end"),
    [
        ("UTC", "2026-11-27", "2026-11-27T00:00", "2026-11-28T00:00"),
        ("America/Los_Angeles", "2026-11-27", "2026-11-27T08:00", "2026-11-28T08:00"),
        ("Asia/Kolkata", "2026-11-27", "2026-11-26T18:30", "2026-11-27T18:30"),
        ("Pacific/Auckland", "2026-07-01", "2026-06-30T12:00", "2026-07-01T12:00"),
        ("America/Los_Angeles", "2026-03-08", "2026-03-08T08:00", "2026-03-09T07:00"),
        ("America/Los_Angeles", "2026-11-01", "2026-11-01T07:00", "2026-11-02T08:00"),
        ("Pacific/Auckland", "2026-04-05", "2026-04-04T11:00", "2026-04-05T12:00"),
        ("Pacific/Auckland", "2026-09-27", "2026-09-26T12:00", "2026-09-27T11:00"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00", "2026-04-24T21:00"),
    ],
)
def test_a_day_begins_and_ends_with_the_viewers(
    visit: Visit, record: dict[str, Any], zone: str, day: str, first: str, end: str
) -> None:
    times = Times(record, f"{first}:00.000000Z", f"{end}:00.000000Z")
    page = visit(f"/?from={day}&to={day}", user="traveler", timezone=zone, prepare=times.listed)
    expect(page.get_by_role("link", name=f"{first}:00")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(1)
    assert (times.asked[0]["from"], times.asked[0]["to"]) == (f"{first}:00.000Z", f"{end}:00.000Z")
    expect(page.get_by_label("Jump to a date")).to_have_value(day)


def test_an_image_of_an_evening_is_found_by_its_day(visit: Visit, record: dict[str, Any]) -> None:
    times = Times(record, "2026-11-28T03:27:00.000000Z")
    page = visit(user="traveler", timezone="America/Los_Angeles", prepare=times.listed)
    page.get_by_role("link", name="2026-11-28T03:27").click()
    expect(page.get_by_role("dialog", name="Image")).to_contain_text("27 Nov 2026, 19:27")
    page.keyboard.press("Escape")
    page.get_by_label("Jump to a date").fill("2026-11-27")
    expect(page.get_by_role("button", name="Back to today")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_label("Jump to a date").fill("2026-11-26")
    expect(page.get_by_text("Nothing here")).to_be_visible()


def test_a_month_is_the_viewers(visit: Visit, record: dict[str, Any]) -> None:
    times = Times(record, "2026-11-01T05:00:00.000000Z", "2026-11-01T10:00:00.000000Z")
    page = visit(user="traveler", timezone="America/Los_Angeles", prepare=times.listed)
    expect(page.get_by_role("heading", level=2)).to_have_text(["November 2026", "October 2026"])


def test_today_and_a_new_image_are_the_viewers(visit: Visit) -> None:
    def at(time: str) -> Any:
        return lambda page: page.clock.set_fixed_time(datetime.fromisoformat(time).astimezone(UTC))

    page = visit("/?to=2026-11-27", timezone="America/Los_Angeles", prepare=at("2026-11-28T03:27:00Z"))
    expect(page.get_by_label("Jump to a date")).to_have_attribute("max", "2026-11-27")
    page.route("**/ai/generate", lambda _: None)
    page.get_by_role("textbox", name="Prompt").fill("Tonight")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Generating…")).to_be_visible()


def reports(page: Page) -> None:
    """Each of the thirty days up to now has one record."""

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        rows = [{"period": query["from"][0], **FIGURES}, {"period": "2026-11-27", **FIGURES}] if "by" in query else []
        total = {**FIGURES, "failure_rate": 0, "cost_per_kept_usd": 0, "pending": 0}
        route.fulfill(json={"rows": rows, "rows_left_out": 0, "total": total, "previous": {"total": total}})

    page.clock.set_fixed_time(datetime(2026, 11, 28, 3, 27, tzinfo=UTC))
    page.route("**/ai/analytics/*", answer)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland"])
def test_the_dashboard_lists_the_days_of_utc_that_it_counts(visit: Visit, record: dict[str, Any], zone: str) -> None:
    page = visit("/dashboard.html", user="traveler", timezone=zone, prepare=reports)
    expect(page.get_by_role("region", name="At a glance")).to_contain_text("Days are in UTC")
    figures = page.get_by_role("region", name="Images").get_by_role("group")
    figures.get_by_text("By day, in UTC").click()
    around = ("26T23:59:59", "27T00:00:00", "27T23:59:59", "30T00:00:00")
    times = Times(record, *(f"2026-11-{time}.000000Z" for time in around))
    times.listed(page)
    figures.get_by_role("listitem").last.get_by_role("link").click()
    expect(page.get_by_role("button", name="From 27 Nov 2026 (UTC)")).to_be_visible()
    expect(page.get_by_text("Until (UTC)")).to_be_visible()
    assert times.asked[0]["from"] == "2026-11-27T00:00:00.000Z"
    assert times.asked[0]["to"] == "2026-11-29T00:00:00.000Z"
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_label("Jump to a date").fill("2026-11-27")
    expect(page.get_by_text("Until (UTC)")).to_have_count(0)


@pytest.mark.parametrize("day", ["2026-02-30", "2026-11-27z", "2026-11-27ZZ", "0000-01-01", "9999-12-31", "27"])
def test_what_is_no_day_is_left_out(visit: Visit, record: dict[str, Any], day: str) -> None:
    times = Times(record, "2026-11-28T03:27:00.000000Z")
    page = visit(f"/?from={day}&to={day}", user="traveler", prepare=times.listed)
    expect(page.locator(".tile")).to_have_count(1)
    assert not {"from", "to"} & times.asked[0].keys()
