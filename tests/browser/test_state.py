"""What the pages keep, and what they let go: of a selection, of work under way, of somebody who signs out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from local.token import token
from tests.browser.api import Api

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import Service

LIST = re.compile(r"/ai/generated-images\?")


def prompt(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt")


def under_way(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "status": "pending", "image_url": None, "thumbnail_url": None}


def listing(page: Page, pending: list[dict[str, Any]], images: list[dict[str, Any]], cursor: str | None = None) -> None:
    """Lists these in place of what the API has."""

    def answer(route: Route) -> None:
        found = pending if "status=pending" in route.request.url else images
        following = None if found is pending or "cursor=" in route.request.url else cursor
        page = {"images": found, "count": len(found), "limit": 100, "next_cursor": following}
        route.fulfill(json=page)

    page.route(LIST, answer)


def test_nothing_stays_chosen_that_is_not_listed_any_more(visit: Visit, service: Service) -> None:
    api = Api(service, "chooser")
    for name in ("Apple", "Pear"):
        api.generate(name)
    page = visit(user="chooser")
    bar = page.get_by_role("toolbar", name="Selected images")
    shelves = page.get_by_role("navigation", name="Shelves")

    def choose() -> None:
        page.get_by_role("link", name="Apple").focus()
        page.keyboard.press("x")
        expect(bar).to_contain_text("1 image selected")

    choose()
    shelves.get_by_role("link", name="Favorites").click()
    expect(bar).to_have_count(0)
    shelves.get_by_role("link", name="All").click()
    choose()
    page.get_by_role("searchbox", name="Search prompts").fill("pear")
    expect(bar).to_have_count(0)


def test_what_is_under_way_is_there_after_a_reload_and_comes_to_life(visit: Visit, service: Service) -> None:
    record = Api(service, "waiter").generate("A slow boat")
    done: list[bool] = []

    def answer(route: Route) -> None:
        route.fulfill(json=record if done else under_way(record))

    def prepare(page: Page) -> None:
        listing(page, [under_way(record)], [])
        page.route(f"**/ai/generated-images/{record['id']}", answer)

    for path in ("/", "/?status=pending"):
        done.clear()
        page = visit(path, user="waiter", prepare=prepare)
        expect(page.get_by_text("Generating…")).to_be_visible()
        page.reload()
        expect(page.get_by_text("Generating…")).to_be_visible()
        done.append(True)
        expect(page.locator(f"#tile-{record['id']} img.seen")).to_be_visible()
        expect(page.locator(".tile")).to_have_count(1)


def test_who_signs_out_leaves_nothing_on_the_screen(visit: Visit, service: Service) -> None:
    api = Api(service, "deserter")
    for number in range(3):
        api.generate(f"Secret {number}")
    page = visit(user="deserter")
    page.get_by_role("link", name="Secret 0").click()
    page.get_by_role("button", name="Move to trash").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.get_by_role("link", name="Secret 2").click()
    page.get_by_role("button", name="Again", exact=True).click()
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    expect(page.get_by_text("Again, as it is")).to_be_visible()
    page.get_by_role("link", name="Secret 1").focus()
    page.keyboard.press("x")
    page.get_by_role("button", name="Account of deserter").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(prompt(page)).to_have_value("")
    expect(page.get_by_text("Again, as it is")).to_have_count(0)
    expect(page.get_by_role("toolbar", name="Selected images")).to_have_count(0)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_who_signs_in_keeps_what_they_wrote(visit: Visit, service: Service) -> None:
    page = visit()
    prompt(page).fill("Half a thought")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("with a token").fill(token(service.folder, "thinker", []))
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("button", name="Account of")).to_be_visible()
    expect(prompt(page)).to_have_value("Half a thought")


@pytest.mark.parametrize("view", ["status=deleted", "favorite=true", "to=2020-01-01", "q=boat"])
def test_a_new_image_is_not_listed_where_it_does_not_belong(visit: Visit, view: str) -> None:
    page = visit(f"/?{view}", user=f"elsewhere-{view[:2]}")
    expect(page.get_by_text("Nothing here")).to_be_visible()
    prompt(page).fill("A kite")
    with page.expect_response("**/ai/generate"):
        page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Being made")
    expect(page.locator(".tile")).to_have_count(0)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".tile img.seen")).to_have_count(1)


def test_enter_makes_nothing_that_the_form_does_not_allow(visit: Visit) -> None:
    sent: list[str] = []
    page = visit(user="repeater")
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="More").click()
    page.get_by_role("textbox", name="Seed").fill("abc")
    prompt(page).fill("A dice")
    prompt(page).press("Enter")
    expect(page.get_by_role("textbox", name="Seed")).to_be_focused()
    assert sent == []
    page.get_by_role("button", name="More").click()
    prompt(page).press("Enter")
    expect(page.locator(".more .fault")).to_contain_text("whole number")
    page.get_by_role("textbox", name="Seed").fill("7")
    expect(page.locator(".fault")).to_have_count(0)


def test_enter_makes_nothing_when_the_day_is_used_up(visit: Visit) -> None:
    day = {"limit": 20, "used": 20, "left": 0, "resets_at": "2026-12-01T00:00:00.000000Z"}
    usage = {"daily_images": day, "monthly_budget_usd": None}
    sent: list[str] = []
    page = visit(user="spent", prepare=lambda page: page.route("**/ai/usage", lambda route: route.fulfill(json=usage)))
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    expect(page.get_by_text("Today's images are used up.")).to_be_visible()
    prompt(page).fill("One more")
    prompt(page).press("Enter")
    page.wait_for_timeout(300)
    assert sent == []


def test_a_double_click_makes_one_image(visit: Visit, service: Service) -> None:
    page = visit(user="twice")
    prompt(page).fill("A twin")
    page.get_by_role("button", name="Generate").dblclick()
    expect(page.locator(".tile img.seen")).to_have_count(1)
    page.wait_for_timeout(700)
    with page.expect_response("**/ai/generate"):
        page.get_by_role("button", name="Generate").click()
    expect(page.locator(".tile img.seen")).to_have_count(2)
    page.wait_for_timeout(700)
    prompt(page).press("Enter")
    prompt(page).press("Enter")
    expect(page.locator(".tile img.seen")).to_have_count(3)
    assert Api(service, "twice").call("GET", "/ai/generated-images?status=all")["count"] == 3


def test_a_date_that_is_being_typed_goes_nowhere(visit: Visit) -> None:
    page = visit(user="dater")
    expect(page.get_by_text("Your first image")).to_be_visible()
    before = page.evaluate("history.length")
    urls: list[str] = []
    page.on("framenavigated", lambda frame: urls.append(frame.url))
    page.get_by_label("Jump to a date").focus()
    page.keyboard.type("02022021")
    expect(page).to_have_url(re.compile(r"to=2021-02-02$"))
    assert page.evaluate("history.length") == before + 1
    assert {url.partition("to=")[2] for url in urls} == {"2021-02-02"}


def test_a_closed_image_stays_closed(visit: Visit, service: Service) -> None:
    api = Api(service, "closer")
    made = [api.generate(f"Door {number}") for number in range(3)]
    page = visit("/?status=all", user="closer")
    viewer = page.get_by_role("dialog", name="Image")
    page.get_by_role("navigation", name="Shelves").get_by_role("link", name="All").click()
    expect(page).to_have_url(f"{service.url}/")
    page.get_by_role("link", name="Door 2").click()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(viewer.get_by_role("heading", name="Door 0")).to_be_visible()
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(page).to_have_url(f"{service.url}/")
    expect(page.get_by_role("link", name="Door 0")).to_be_focused()
    page.go_back()
    expect(page).to_have_url(f"{service.url}/?status=all")
    expect(viewer).to_have_count(0)
    page.goto(f"{service.url}/?image={made[0]['id']}")
    expect(viewer).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{service.url}/")
    page.go_back()
    expect(page).to_have_url(f"{service.url}/?status=all")
    page.get_by_role("button", name="Datasets").click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{service.url}/?status=all")


def test_a_model_that_is_gone_is_named_and_another_one_offered(visit: Visit, service: Service) -> None:
    record = Api(service, "heir").generate("An heirloom")
    page = visit(user="heir", prepare=lambda page: listing(page, [], [{**record, "model": "painter-1"}]))
    page.get_by_role("link", name="An heirloom").click()
    page.get_by_role("button", name="Again", exact=True).click()
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    model = page.get_by_role("combobox", name="Model")
    expect(model.locator("option:checked")).to_have_text("painter-1 (not offered any more)")
    page.get_by_role("button", name=f"Use {record['model']}").click()
    expect(model).to_have_value(record["model"])
    expect(page.get_by_text("not offered any more")).to_have_count(0)
    with page.expect_request("**/regenerate") as sent:
        page.get_by_role("button", name="Regenerate").click()
    assert sent.value.post_data_json == {"model": record["model"], "dataset": "frozen"}


def test_the_focus_goes_to_the_next_image_when_one_is_thrown_away(visit: Visit, service: Service) -> None:
    api = Api(service, "thrower")
    for number in range(2):
        api.generate(f"Stone {number}")
    page = visit(user="thrower")
    page.get_by_role("link", name="Stone 1").click()
    page.get_by_role("button", name="Move to trash").click()
    expect(page.get_by_role("link", name="Stone 0")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Move to trash").click()
    expect(page.locator("#images")).to_be_focused()


def test_a_long_prompt_hides_no_button(visit: Visit, service: Service) -> None:
    Api(service, "novelist").generate("Once upon a time " * 500)
    page = visit(user="novelist")
    page.get_by_role("link", name="Once upon").click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_role("button", name="Again", exact=True)).to_be_in_viewport()
    viewer.get_by_role("button", name="Show all of it").click()
    expect(viewer.get_by_role("button", name="Again", exact=True)).not_to_be_in_viewport()
