"""What somebody does with the images they have: marks them, throws them away, brings them back, many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import Service


def listed(page: Page, *prompts: str) -> None:
    """Waits until the grid has just these, in this order."""
    expect(page.locator(".tile a")).to_have_count(len(prompts))
    for number, prompt in enumerate(prompts):
        expect(page.locator(".tile a").nth(number)).to_have_attribute("aria-label", prompt)


def test_a_favorite_is_marked_found_and_unmarked(visit: Visit, service: Service) -> None:
    api = Api(service, "favorites")
    api.generate("A plain one")
    api.generate("The best")
    page = visit(user="favorites")
    page.get_by_role("link", name="The best").click()
    page.get_by_role("button", name="Favorite", exact=True).click()
    expect(page.get_by_role("button", name="Favorite", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    page.get_by_role("navigation", name="Shelves").get_by_role("link", name="Favorites").click()
    listed(page, "The best, favorite")
    page.get_by_role("link", name="The best").click()
    page.get_by_role("button", name="Favorite", exact=True).click()
    listed(page)


def test_what_is_thrown_away_can_be_brought_back(visit: Visit, service: Service) -> None:
    api = Api(service, "trash")
    image = api.generate("A mistake")
    page = visit(user="trash")
    page.get_by_role("link", name="A mistake").click()
    page.get_by_role("button", name="Move to trash").click()
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    listed(page)
    assert page.request.get(image["image_url"]).status == 404
    undo.click()
    listed(page, "A mistake")
    page.get_by_role("link", name="A mistake").click()
    page.get_by_role("button", name="Move to trash").click()
    page.get_by_role("navigation", name="Shelves").get_by_role("link", name="Trash").click()
    page.get_by_role("link", name="A mistake").click()
    page.get_by_role("button", name="Restore").click()
    listed(page)
    page.get_by_role("navigation", name="Shelves").get_by_role("link", name="All").click()
    listed(page, "A mistake")
    expect(page.locator(".tile img.seen")).to_be_visible()


def test_many_are_chosen_and_dealt_with_at_once(visit: Visit, service: Service) -> None:
    api = Api(service, "many")
    for number in range(5):
        api.generate(f"Number {number}")
    page = visit(user="many")
    listed(page, *(f"Number {number}" for number in (4, 3, 2, 1, 0)))
    tiles = page.locator(".tile")
    tiles.nth(1).hover()
    tiles.nth(1).get_by_role("button", name="Select").click()
    tiles.nth(3).locator("a").click(modifiers=["Shift"])
    bar = page.get_by_role("toolbar", name="Selected images")
    expect(bar).to_contain_text("3 images selected")
    bar.get_by_role("button", name="Favorite", exact=True).click()
    listed(page, "Number 4", *(f"Number {number}, favorite" for number in (3, 2, 1)), "Number 0")
    expect(bar).to_have_count(0)
    page.get_by_role("button", name="Select", exact=True).last.click()
    tiles.first.locator("a").click()
    bar.get_by_role("button", name="Select all").click()
    bar.get_by_role("button", name="Move to trash").click()
    expect(page.get_by_role("status").filter(has_text="5 images moved to the trash")).to_be_visible()
    listed(page)
    assert api.call("GET", "/ai/generated-images?status=deleted")["count"] == 5


def test_what_may_not_be_done_says_so_and_is_taken_back(visit: Visit, service: Service) -> None:
    Api(service).generate("Everybody's")
    page = visit("/?status=all")
    page.get_by_role("link", name="Everybody's").first.click()
    page.get_by_role("button", name="Move to trash").click()
    told = page.get_by_role("dialog", name="Image").get_by_role("status").filter(has_text="could not be")
    expect(told).to_be_visible()
    told.get_by_role("button", name="Dismiss").click()
    expect(told).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Everybody's").first).to_be_visible()


@pytest.mark.parametrize("width", [360, 320])
def test_what_can_be_done_with_many_fits_a_small_phone(visit: Visit, service: Service, width: int) -> None:
    Api(service, "thumbs").generate("A thumb")
    page = visit(user="thumbs", size=(width, 640))
    page.locator(".tile").first.get_by_role("button", name="Select", exact=True).click()
    bar = page.get_by_role("toolbar", name="Selected images")
    expect(bar).to_be_visible()
    for button in bar.get_by_role("button").all():
        box = button.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width - 12
    bar.get_by_role("button", name="Clear selection").click()
    expect(bar).to_have_count(0)
