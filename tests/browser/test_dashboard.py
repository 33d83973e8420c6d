"""The dashboard: what was made, for how much, and the way from each figure to its records and its file."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Route

    from tests.browser.conftest import Visit
    from tests.conftest import Service


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


@pytest.fixture(scope="module")
def maker(service: Service) -> str:
    """Somebody whose images are counted."""
    api = Api(service, "maker")
    dataset = api.call("POST", "/ai/datasets", {"name": "Tea House", "unique_visual_elements": ["paper lamps"]})
    api.generate("a quokka at noon", dataset_id=dataset["id"], style="ink")
    image = api.generate("a quokka at night", dataset_id=dataset["id"], style="ink wash", aspect_ratio="16:9")
    api.call("PUT", f"/ai/generated-images/{image['id']}/favorite")
    stack = service.stack
    for _ in range(100):
        stack.client("lambda").invoke(FunctionName=stack.resources["FoldDays"], Payload=b"{}")
        total = api.call("GET", "/ai/analytics/volume")["total"]
        if (total["records"], total["favorites"]) == (2, 1):
            return "maker"
    raise AssertionError(total)


def test_it_says_what_was_made_and_leads_to_it(visit: Visit, maker: str) -> None:
    page = visit("/dashboard.html", user=maker)
    expect(card(page, "At a glance").get_by_text("Images", exact=True)).to_be_visible()
    expect(card(page, "Images").get_by_role("img")).to_have_attribute(
        "aria-label", "Images by day: Succeeded 2, Failed 0, Blocked 0"
    )
    expect(card(page, "From request to favorite").get_by_role("listitem")).to_contain_text(
        ["Asked for", "Succeeded", "Kept", "Favorites", "Failed", "Blocked", "Under way"]
    )
    expect(card(page, "Visual elements").get_by_text("paper lamps")).to_be_visible()
    expect(card(page, "Datasets").get_by_role("link", name="Tea House")).to_be_visible()
    expect(card(page, "Settings").get_by_role("link", name="style ink wash")).to_be_visible()
    card(page, "Words in prompts").get_by_role("link", name="quokka").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.go_back()
    card(page, "From request to favorite").get_by_role("link", name="Favorites").click()
    expect(page.locator(".tile")).to_have_count(1)
    page.go_back()
    card(page, "Models").get_by_role("link", name="procedural").click()
    expect(page.locator(".tile")).to_have_count(2)


def test_a_link_lists_as_many_as_its_figure_says(visit: Visit, maker: str) -> None:
    page = visit("/dashboard.html", user=maker)
    expect(page.locator(".card[aria-busy=true]")).to_have_count(0)
    links = {}
    for title in ("From request to favorite", "Models", "Datasets", "Visual elements", "Words in prompts", "Settings"):
        for row in card(page, title).locator("li:has(a)").all():
            link = row.get_by_role("link")
            links[link.inner_text()] = (link.get_attribute("href") or "", int(row.locator("b").inner_text()))
    assert links.keys() >= {"Asked for", "Kept", "procedural", "Tea House", "quokka", "night", "style ink wash"}
    for name, (href, figure) in links.items():
        page.goto(urljoin(page.url, href))
        expect(page.locator("section[aria-label=Images]")).to_have_attribute("aria-busy", "false")
        expect(page.locator(".tile"), name).to_have_count(figure)
    assert len({href for href, _ in links.values()}) == len(links)


def test_what_no_list_can_tell_apart_has_no_link(visit: Visit, maker: str) -> None:
    figures = {"records": 3, "images": 0, "kept": 0, "favorites": 0, "favorite_rate": None, "cost_usd": 0}

    def failures(route: Route) -> None:
        rows = [{"code": code, "model": "brush", **figures} for code in ("model_failed", "content_blocked")]
        route.fulfill(json={"rows": rows, "rows_left_out": 0, "total": figures, "previous": {"total": figures}})

    page = visit("/dashboard.html", user=maker, prepare=lambda page: page.route("**/analytics/failures?*", failures))
    failed = card(page, "Why generations fail")
    expect(failed.get_by_text("model failed · brush")).to_be_visible()
    expect(failed.get_by_role("link", name="model failed")).to_have_count(0)
    asked = parse_qs(failed.get_by_role("link", name="content blocked").get_attribute("href") or "")
    assert (asked["status"], asked["q"]) == (["blocked"], ['model:"brush"'])
    expect(card(page, "Settings").get_by_role("link")).to_have_text(["Records", "style ink wash"])


def test_the_costliest_are_those_that_cost_most(visit: Visit, maker: str) -> None:
    orders = []

    def models(route: Route) -> None:
        orders.append(parse_qs(urlsplit(route.request.url).query)["sort"])
        route.fallback()

    page = visit("/dashboard.html", user=maker, prepare=lambda page: page.route("**/analytics/models?*", models))
    expect(card(page, "Cost by model").get_by_role("link", name="procedural")).to_be_visible()
    assert sorted(orders) == [["cost_usd"], ["records"]]


def test_a_bar_leads_to_the_records_of_its_day(visit: Visit, maker: str) -> None:
    page = visit("/dashboard.html", user=maker)
    chart = card(page, "Images").get_by_role("img")
    box = chart.bounding_box()
    assert box
    chart.click(position={"x": box["width"] - 24, "y": box["height"] / 2})
    expect(page.locator(".tile")).to_have_count(2)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["from"] == asked["to"]
    page.go_back()
    figures = card(page, "Images").get_by_role("group")
    figures.get_by_text("By day").press("Enter")
    expect(figures.get_by_role("listitem")).to_contain_text(["Succeeded 2, Failed 0, Blocked 0"])
    figures.get_by_role("link").press("Enter")
    expect(page.locator(".tile")).to_have_count(2)
    assert parse_qs(urlsplit(page.url).query) == asked


def test_every_chart_is_a_file_too(visit: Visit, maker: str) -> None:
    page = visit("/dashboard.html", user=maker)
    card(page, "Words in prompts").get_by_role("link", name="quokka").wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Words in prompts as CSV").click()
    assert saved.value.suggested_filename.startswith("prompts-")
    with saved.value.path().open(newline="", encoding="utf-8") as file:
        assert ("quokka", "2") in [(row["term"], row["records"]) for row in csv.DictReader(file)]


def test_the_days_are_chosen_and_kept_in_the_address(visit: Visit, maker: str) -> None:
    page = visit("/dashboard.html", user=maker)
    page.get_by_role("button", name="12 months").click()
    expect(card(page, "Images").get_by_role("img")).to_have_attribute(
        "aria-label", "Images by month: Succeeded 2, Failed 0, Blocked 0"
    )
    assert "days=365" in page.url
    page.reload()
    expect(page.get_by_role("button", name="12 months")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.get_by_role("button", name="12 months")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")


def test_an_admin_sees_users_and_looks_at_one(visit: Visit, maker: str) -> None:
    page = visit("/dashboard.html", user="root", groups=["admin"])
    expect(card(page, "Cost by user")).to_be_visible()
    first = card(page, "Users").get_by_role("listitem").filter(has=page.get_by_role("link")).first
    user = first.get_by_role("link").inner_text()
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", name=f"What {user} made")).to_be_visible()
    page.get_by_role("button", name="All users").click()
    expect(page.get_by_role("heading", name="What was made")).to_be_visible()
    page.goto(urljoin(page.url, f"?user_id={maker}"))
    expect(card(page, "Images").get_by_role("img")).to_have_attribute(
        "aria-label", "Images by day: Succeeded 2, Failed 0, Blocked 0"
    )
    expect(card(page, "Words in prompts").get_by_text("quokka")).to_be_visible()
    expect(page.locator(".cards").get_by_role("link")).to_have_count(0)


def test_somebody_else_sees_nothing_of_it(visit: Visit, maker: str) -> None:
    page = visit(f"/dashboard.html?user_id={maker}", user="stranger")
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_text("quokka")).to_have_count(0)
