"""Many images at once: what is asked names the act and the number, and what was done can be undone, and no more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Dialog, Locator, Page, Route, expect

from tests.browser.api import Api
from tests.browser.test_appearance import PAIRS, looks

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import Service

LIST = re.compile(r"/ai/generated-images(/search)?\?")
BATCH = "**/ai/generated-images/batch"


def bar(page: Page) -> Locator:
    return page.get_by_role("toolbar", name="Selected images")


class Many:
    """A history of `total` images, in memory: the list, the search, and what is done to many at once."""

    def __init__(self, record: dict[str, Any], total: int) -> None:
        self.trash: set[str] = set()
        self.acts: list[tuple[str, list[str]]] = []
        self.asked: list[str] = []
        self.answers: list[bool] = []
        self.fail_at = 0
        self.images = [
            {**record, "id": f"00000000-0000-7000-8000-{n:012}", "prompt": f"Stone {total - n}"} for n in range(total)
        ]

    def prepare(self, page: Page) -> None:
        page.route(LIST, self._list)
        page.route(BATCH, self._batch)
        page.on("dialog", self._dialog)

    def _dialog(self, dialog: Dialog) -> None:
        self.asked.append(dialog.message)
        dialog.accept() if self.answers.pop(0) else dialog.dismiss()

    def _list(self, route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        found = [one for one in self.images if one["id"] not in self.trash and query.get("status") != "pending"]
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        following = str(start + limit) if start + limit < len(found) else None
        route.fulfill(json={"images": found[start : start + limit], "count": 0, "next_cursor": following})

    def _batch(self, route: Route) -> None:
        action, ids = (route.request.post_data_json or {}).values()
        if self.fail_at and len(self.acts) + 1 == self.fail_at:
            self.fail_at = 0
            return route.abort()
        self.acts.append((action, ids))
        changed = {one for one in ids if (one in self.trash) is (action == "restore")}
        self.trash ^= changed
        fine = {"status": 200, "code": None, "detail": None}
        results = [{"id": one, **fine, "changed": one in changed} for one in ids]
        return route.fulfill(json={"succeeded": len(ids), "failed": 0, "results": results})


@pytest.fixture(scope="module")
def record(service: Service) -> dict[str, Any]:
    return Api(service, "collector").generate("A stone")


def select_loaded(page: Page) -> None:
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    expect(bar(page)).to_contain_text("100 images selected")


def test_what_is_loaded_is_acted_on_after_a_yes(visit: Visit, record: dict[str, Any]) -> None:
    many = Many(record, 450)
    many.answers = [False, True]
    page = visit(user="collector", prepare=many.prepare)
    select_loaded(page)
    trash = bar(page).get_by_role("button", name="Move to trash")
    trash.click()
    assert many.asked == ["Move 100 images to the trash?"]
    assert many.acts == []
    expect(bar(page)).to_contain_text("100 images selected")
    trash.click()
    expect(page.locator(".toast")).to_contain_text("100 images moved to the trash")
    assert many.asked[1:] == ["Move 100 images to the trash?"]
    assert many.trash == {one["id"] for one in many.images[:100]}
    expect(bar(page)).to_have_count(0)


@pytest.mark.parametrize("view", ["/", "/?q=stone", "/?from=2020-01-01"])
def test_all_that_match_are_selected_and_what_was_done_is_undone(
    visit: Visit, record: dict[str, Any], view: str
) -> None:
    many = Many(record, 450)
    many.answers = [True]
    page = visit(view, user="collector", prepare=many.prepare)
    select_loaded(page)
    bar(page).get_by_role("button", name="Select all that match").click()
    expect(bar(page)).to_contain_text("450 images selected")
    before = {one["id"] for one in many.images[300:310]}
    many.trash |= before  # by another tab, meanwhile
    bar(page).get_by_role("button", name="Move to trash").click()
    expect(page.locator(".toast")).to_contain_text("450 images moved to the trash")
    assert many.asked == ["Move 450 images to the trash?"]
    assert [len(ids) for _, ids in many.acts] == [200, 200, 50]
    expect(page.get_by_text("Your first image").or_(page.get_by_text("Nothing here"))).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".toast").last).to_contain_text("440 images restored")
    assert many.trash == before
    expect(page.locator(".tile").first).to_be_visible()
    assert len(many.asked) == 1


def test_what_could_not_be_done_stays_selected(visit: Visit, record: dict[str, Any]) -> None:
    many = Many(record, 450)
    many.answers, many.fail_at = [True, True], 2
    page = visit(user="collector", prepare=many.prepare)
    select_loaded(page)
    bar(page).get_by_role("button", name="Select all that match").click()
    expect(bar(page)).to_contain_text("450 images selected")
    bar(page).get_by_role("button", name="Move to trash").click()
    expect(page.locator(".toast.bad")).to_contain_text("250 images could not be moved to the trash")
    expect(page.locator(".toast").last).to_contain_text("200 images moved to the trash")
    expect(bar(page)).to_contain_text("250 images selected")
    bar(page).get_by_role("button", name="Move to trash").click()
    expect(page.locator(".toast").last).to_contain_text("250 images moved to the trash")
    assert len(many.trash) == 450


def test_looking_for_all_that_match_can_be_given_up(visit: Visit, record: dict[str, Any]) -> None:
    many = Many(record, 450)
    page = visit(user="collector", prepare=many.prepare)
    select_loaded(page)
    held: list[Route] = []
    page.route(re.compile("cursor=200"), lambda route: held.append(route))
    bar(page).get_by_role("button", name="Select all that match").click()
    expect(bar(page)).to_contain_text("200 images found")
    expect(bar(page).get_by_role("button", name="Move to trash")).to_be_disabled()
    bar(page).get_by_role("button", name="Clear selection").click()
    held[0].fallback()
    expect(bar(page)).to_have_count(0)
    page.wait_for_load_state("networkidle")
    expect(bar(page)).to_have_count(0)


def test_an_undo_leaves_what_was_so_before(visit: Visit, service: Service) -> None:
    api = Api(service, "undoer")
    made = [api.generate(f"Shell {number}")["id"] for number in range(3)]
    api.call("PUT", f"/ai/generated-images/{made[0]}/favorite")
    page = visit(user="undoer")
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    api.call("DELETE", f"/ai/generated-images/{made[2]}")
    bar(page).get_by_role("button", name="Favorite", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("added to favorites")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".toast").last).to_contain_text("removed from favorites")
    favorites = api.call("GET", "/ai/generated-images?favorite=true")["images"]
    assert [one["id"] for one in favorites] == [made[0]]
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    bar(page).get_by_role("button", name="Move to trash").click()
    expect(page.locator(".toast").last).to_contain_text("3 images moved to the trash")
    page.get_by_role("button", name="Undo", exact=True).last.click()
    expect(page.locator(".toast").last).to_contain_text("2 images restored")
    assert [one["id"] for one in api.call("GET", "/ai/generated-images?status=deleted")["images"]] == [made[2]]


def test_it_fits_and_is_accessible(visit: Visit, record: dict[str, Any]) -> None:
    page = visit(user="collector", prepare=Many(record, 1234).prepare)
    select_loaded(page)
    for number in ("100", "1,234"):
        expect(bar(page)).to_contain_text(number)
        for theme, size in PAIRS:
            assert looks(page, f"selected-{number}", theme, size) == []
            for button in bar(page).get_by_role("button").all():
                box = button.bounding_box()
                assert box
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= size[0]
        more = bar(page).get_by_role("button", name="Select all that match")
        if more.count():
            more.click()
