"""A record without a picture is no failure, and a picture that cannot be loaded is neither."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.api import Api
from tests.browser.test_appearance import PAIRS, looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Visit
    from tests.conftest import Service

LIST = re.compile(r"/ai/generated-images(/search)?\?")
RED = "rgb(253, 236, 234)"


@pytest.fixture(scope="module")
def record(service: Service) -> dict[str, Any]:
    return Api(service, "importer").generate("A picture")


def without_picture(record: dict[str, Any], number: int = 0, **more: Any) -> dict[str, Any]:
    """As `import --no-images` leaves it."""
    absent = dict.fromkeys(("image_url", "thumbnail_url", "width", "height", "bytes", "sha256", "model", "provider"))
    one = {**record, **absent, "id": f"00000000-0000-7000-8000-{number:012}", **more}
    return {**one, "prompt": one.get("prompt", "A record"), "full_prompt": "A record"}


def listed(*images: dict[str, Any]) -> Callable[[Page], None]:
    def answer(route: Route) -> None:
        found = [] if "status=pending" in route.request.url else images
        route.fulfill(json={"images": found, "count": len(found), "next_cursor": None})

    def prepare(page: Page) -> None:
        page.route(LIST, answer)

    return prepare


def test_it_is_a_neutral_tile(visit: Visit, record: dict[str, Any]) -> None:
    prompts = ("A tea house in the rain", "A lighthouse " * 40, "Kurz", "<b>bold</b>")
    ratios = ("16:9", "9:16", "1:1", "9:21", "21:9", "3:4")
    blank = [without_picture(record, n, prompt=prompts[n % 4], aspect_ratio=ratios[n % 6]) for n in range(14)]
    failed = without_picture(record, 20, prompt="A storm", status="failed", error="The model did not answer.")
    page = visit(user="importer", prepare=listed(record, *blank, failed))
    tile = page.locator(".tile").filter(has_text="A tea house").first
    expect(tile).to_contain_text("No picture was imported")
    expect(tile.get_by_role("link", name="A tea house in the rain No picture was imported")).to_be_visible()
    expect(tile.locator(".failed")).to_have_count(0)
    expect(page.locator(".tile .failed")).to_have_count(1)
    expect(page.locator(".tile").filter(has=page.locator(".failed"))).to_contain_text("A storm")
    for theme, size in PAIRS:
        assert looks(page, "no-picture", theme, size) == []


@pytest.mark.parametrize("view", ["", "q=tea", "status=all", "status=succeeded"])
def test_it_says_so_wherever_it_is_listed(visit: Visit, record: dict[str, Any], view: str) -> None:
    page = visit(f"/?{view}", user="importer", prepare=listed(without_picture(record, prompt="A tea house")))
    expect(page.locator(".tile")).to_contain_text("No picture was imported")
    expect(page.get_by_text("Failed", exact=True).locator("visible=true")).to_have_count(0)


def test_it_is_opened_selected_and_started_from(visit: Visit, record: dict[str, Any]) -> None:
    blank = without_picture(record, prompt="A tea house")
    child = {"id": record["id"], "parent_id": blank["id"], "status": "succeeded", "changed": [], "children": []}
    node = {**child, "id": blank["id"], "parent_id": None, "thumbnail_url": None, "prompt_start": "A tea house"}
    child |= {"thumbnail_url": record["thumbnail_url"], "prompt_start": "A picture"}
    family = {"count": 2, "truncated": False, "roots": [{**node, "children": [child]}]}
    page = visit(user="importer", prepare=listed(blank))
    page.route("**/lineage", lambda route: route.fulfill(json=family))
    page.get_by_role("link", name="A tea house").click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_text("No picture was imported")).to_be_visible()
    expect(viewer.get_by_role("link", name="Download")).to_have_count(0)
    expect(viewer.get_by_role("region", name="Family").locator("span.thumb")).to_have_count(1)
    assert looks(page, "no-picture-viewer", "light") == []
    viewer.get_by_role("button", name="Again", exact=True).click()
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    expect(page.locator(".parent span.thumb")).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("A tea house")
    page.get_by_role("link", name="A tea house").focus()
    page.keyboard.press("x")
    expect(page.get_by_role("toolbar", name="Selected images")).to_contain_text("1 image selected")


def test_in_the_trash_it_is_in_the_trash(visit: Visit, record: dict[str, Any]) -> None:
    gone = without_picture(record, prompt="A tea house", deleted_at="2026-11-27T00:00:00.000000Z")
    other = {**record, "deleted_at": gone["deleted_at"]}
    page = visit("/?status=deleted", user="importer", prepare=listed(gone, other))
    expect(page.get_by_role("link", name="A tea house In the trash")).to_be_visible()
    page.get_by_role("link", name="A picture In the trash").click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_text("In the trash")).to_be_visible()
    expect(viewer.get_by_role("link", name="Download")).to_have_count(0)


@pytest.mark.parametrize("fault", ["404", "410", "network"])
def test_a_picture_that_cannot_be_loaded_can_be_loaded_again(visit: Visit, service: Service, fault: str) -> None:
    user = f"unlucky-{fault}"
    Api(service, user).generate("A broken pot", aspect_ratio="9:16")
    broken = ["yes"]

    def pixels(route: Route) -> None:
        if not broken:
            route.fallback()
        elif fault == "network":
            route.abort()
        else:
            route.fulfill(status=int(fault))

    page = visit(user=user, prepare=lambda page: page.route(re.compile("/(images|thumbnails)/"), pixels))
    tile = page.locator(".tile")
    expect(tile).to_contain_text("The picture could not be loaded")
    expect(tile.locator(".failed")).to_have_count(0)
    if fault == "404":
        assert looks(page, "lost-picture", "light") == []
    tile.get_by_role("link").click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_text("The picture could not be loaded")).to_be_visible()
    if fault == "404":
        assert looks(page, "lost-picture-viewer", "light") == []
    broken.clear()
    viewer.get_by_role("button", name="Retry").click()
    expect(viewer.locator(".frame img.seen")).to_be_visible()
    page.keyboard.press("Escape")
    tile.get_by_role("button", name="Retry loading the picture").click()
    expect(tile.locator("img.seen")).to_be_visible()
    expect(tile.get_by_role("link")).to_be_visible()


def test_pictures_come_back_with_the_network(visit: Visit, service: Service) -> None:
    Api(service, "traveler-2").generate("A tunnel")
    page = visit(user="traveler-2", prepare=lambda page: page.route("**/thumbnails/*", lambda route: route.abort()))
    expect(page.locator(".tile")).to_contain_text("could not be loaded")
    page.unroute("**/thumbnails/*")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(".tile img.seen")).to_be_visible()
