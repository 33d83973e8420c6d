"""The gallery, as somebody uses it who makes images and looks at them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from playwright.sync_api import Page, Route, expect

from tests.browser.api import Api

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import Service


def tiles(page: Page) -> list[str]:
    """The prompts in the grid."""
    expect(page.get_by_role("region", name="Images")).to_have_attribute("aria-busy", "false")
    return [str(link.get_attribute("aria-label")) for link in page.locator(".tile a").all()]


def form(page: Page) -> dict[str, str]:
    """What the form says, by label."""
    fields = page.get_by_role("form", name="Generate an image").locator("input, select, textarea")
    return {
        str(one.evaluate("field => field.ariaLabel ?? field.labels[0].innerText.split('\\n')[0].trim()")): (
            one.input_value()
        )
        for one in fields.all()
    }


def test_somebody_without_an_account_makes_an_image_and_sees_how_it_came_to_be(visit: Visit) -> None:
    page = visit()
    page.get_by_role("textbox", name="Prompt").fill("A harbour at noon")
    page.get_by_role("combobox", name="Style").fill("linocut")
    page.get_by_role("button", name="Aspect ratio").click()
    page.get_by_role("button", name="16:9").click()
    page.get_by_role("button", name="More").click()
    page.get_by_role("textbox", name="Seed").fill("7")
    page.get_by_role("button", name="Generate").click()
    tile = page.get_by_role("link", name="A harbour at noon").first
    expect(tile.locator("img.seen")).to_be_visible()
    tile.click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_role("img", name="A harbour at noon")).to_be_visible()
    expect(viewer).to_contain_text("A harbour at noon. Style: linocut.")
    expect(viewer).to_contain_text("1024 × 576, png")
    expect(viewer.get_by_role("link", name="Download")).to_have_attribute("href", re.compile(r"/images/.+\.png$"))
    page.reload()
    expect(viewer).to_contain_text("A harbour at noon. Style: linocut.")
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/$"))


def test_a_refused_value_is_shown_at_its_field_and_the_rest_of_the_form_stays(visit: Visit) -> None:
    page = visit(user="refused")
    page.get_by_role("textbox", name="Prompt").fill("A harbour")
    page.get_by_role("button", name="More").click()
    page.get_by_role("textbox", name="Seed").fill("4294967295")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator(".more .fault")).to_contain_text("from 0 to 4294967294")
    assert form(page)["Prompt"] == "A harbour"
    assert tiles(page) == []


def test_an_image_that_is_made_later_shows_its_progress_and_then_itself(visit: Visit, service: Service) -> None:
    record = Api(service, "somebody else").generate("A slow river")
    pending = {**record, "status": "pending", "image_url": None, "thumbnail_url": None}
    looks: list[str] = []

    def answer(route: Route) -> None:
        looks.append(route.request.method)
        route.fulfill(status=200, json=pending if len(looks) < 3 else record)

    page = visit(user="later")
    page.route("**/ai/generate", lambda route: route.fulfill(status=202, json=pending))
    page.route(f"**/ai/generated-images/{record['id']}", answer)
    page.get_by_role("textbox", name="Prompt").fill("A slow river")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Generating…")).to_be_visible()
    expect(page.locator(f"#tile-{record['id']} img.seen")).to_be_visible()
    assert looks == ["GET", "GET", "GET"]


def test_a_generation_that_fails_says_why(visit: Visit) -> None:
    problem = {"code": "content_blocked", "title": "Refused", "detail": "The image model refused this prompt."}
    page = visit(user="blocked")
    page.route("**/ai/generate", lambda route: route.fulfill(status=422, json=problem))
    page.get_by_role("textbox", name="Prompt").fill("Something")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_have_text("The image model refused this prompt.")
    assert tiles(page) == []


def test_what_is_left_of_the_day_is_shown_and_an_empty_day_offers_no_button(visit: Visit) -> None:
    def answer(left: int) -> dict[str, Any]:
        resets = "2026-12-01T00:00:00.000000Z"
        return {"daily_images": {"limit": 20, "used": 20 - left, "left": left, "resets_at": resets}}

    for left in (7, 0):
        usage = {**answer(left), "monthly_budget_usd": None}
        page = visit(
            prepare=lambda page, usage=usage: page.route("**/ai/usage", lambda route: route.fulfill(json=usage))
        )
        expect(page.get_by_role("img", name=f"{left} of 20 images left until")).to_be_visible()
        expect(page.get_by_role("button", name="Generate")).to_be_enabled(enabled=left > 0)


def test_filters_are_in_the_address_and_the_back_button_undoes_them(visit: Visit, service: Service) -> None:
    api = Api(service, "filters")
    dataset = api.call("POST", "/ai/datasets", {"name": "Tea House"})
    api.generate("A teapot", dataset_id=dataset["id"])
    api.generate("A chair")
    page = visit(user="filters")
    assert tiles(page) == ["A chair", "A teapot"]
    page.get_by_label("Of the dataset").select_option("Tea House")
    expect(page.get_by_role("link", name="A chair")).to_have_count(0)
    assert tiles(page) == ["A teapot"]
    assert f"dataset_id={dataset['id']}" in page.url
    page.get_by_label("Status").select_option("Failed")
    expect(page.get_by_text("Nothing here")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.get_by_role("link", name="A chair")).to_be_visible()


def test_a_date_is_jumped_to(visit: Visit, service: Service) -> None:
    Api(service, "dates").generate("A calendar")
    page = visit(user="dates")
    page.get_by_role("link", name="A calendar").wait_for()
    page.get_by_label("Jump to a date").fill("2001-02-03")
    expect(page.get_by_text("Nothing here")).to_be_visible()
    assert "to=2001-02-03" in page.url
    page.get_by_role("button", name="Back to today").click()
    expect(page.get_by_role("link", name="A calendar")).to_be_visible()


def test_the_keyboard_reaches_everything(visit: Visit, service: Service) -> None:
    api = Api(service, "keys")
    for number in range(4):
        api.generate(f"Picture {number}")
    page = visit(user="keys")
    assert tiles(page) == [f"Picture {number}" for number in (3, 2, 1, 0)]
    page.keyboard.press("n")
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    page.locator(".tile a").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="Picture 1")).to_be_focused()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_role("heading", name="Picture 1")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(viewer.get_by_role("heading", name="Picture 0")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Picture 0")).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("Home")
    expect(page.get_by_role("link", name="Picture 3")).to_be_focused()
    page.keyboard.press("Shift+X")
    expect(page.locator(".tile.picked")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator(".tile.picked")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def test_an_image_is_the_start_of_another(visit: Visit, service: Service) -> None:
    Api(service, "again").generate("A windmill", aspect_ratio="3:2", style="etching")
    page = visit(user="again")
    page.get_by_role("link", name="A windmill").click()
    page.get_by_role("button", name="Again", exact=True).click()
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    expect(page.get_by_text("Again, as it is")).to_be_visible()
    assert form(page)["Prompt"] == "A windmill"
    assert form(page)["Style"] == "etching"
    page.get_by_role("combobox", name="Style").fill("collage")
    expect(page.get_by_text("Again, with changes")).to_be_visible()
    expect(page.locator(".chip.changed")).to_contain_text("Style")
    page.get_by_role("button", name="Undo the changes").click()
    assert form(page)["Style"] == "etching"


def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit: Visit, service: Service) -> None:
    Api(service, "phone").generate("A postcard", aspect_ratio="21:9")
    page = visit(user="phone", size=(360, 740))
    page.get_by_role("link", name="A postcard").click()
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = page.get_by_role("button", name="Close" if page.locator("dialog").count() else "Generate").bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 360
        page.keyboard.press("Escape")


def test_an_image_is_made_again_with_changes_and_its_family_is_shown(visit: Visit, service: Service) -> None:
    Api(service, "family").generate("A lantern", style="ink", seed=5)
    page = visit(user="family")
    page.get_by_role("link", name="A lantern").click()
    page.get_by_role("button", name="Again", exact=True).click()
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    page.get_by_role("combobox", name="Style").fill("chalk")
    page.get_by_role("button", name="Same as before").click()
    with page.expect_request("**/regenerate") as sent:
        page.get_by_role("button", name="Regenerate").click()
    assert sent.value.post_data_json == {"style": "chalk", "seed": "same", "dataset": "frozen"}
    expect(page.locator(".tile img.seen")).to_have_count(2)
    page.get_by_role("link", name="A lantern").first.click()
    family = page.get_by_role("region", name="Family")
    expect(family.get_by_role("link")).to_have_text(["A lanternthe first", "A lanternother style"])
    family.get_by_role("link").first.click()
    expect(page.get_by_role("dialog", name="Image")).to_contain_text("A lantern. Style: ink.")


def test_what_is_listed_is_exported(visit: Visit, service: Service) -> None:
    api = Api(service, "exporter")
    api.generate("A parcel")
    page = visit(user="exporter")
    page.get_by_role("link", name="A parcel").wait_for()
    for label, name in (("CSV for", "generated_images.csv"), ("ZIP the", "generated_images.zip")):
        page.get_by_role("button", name="Export", exact=True).click()
        with page.expect_download() as saved:
            page.get_by_role("button", name=label).click()
        assert saved.value.suggested_filename == name
    with ZipFile(saved.value.path()) as archive:
        assert len(archive.namelist()) == 2


def test_what_is_typed_is_searched_for_and_stands_out(visit: Visit, service: Service) -> None:
    api = Api(service, "searcher")
    for prompt in ("A lighthouse on a rock", "Two boats at sea", "The light of a candle"):
        api.generate(prompt)
    page = visit(user="searcher")
    page.get_by_role("link", name="Two boats").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("boat")
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator(".caption mark")).to_have_text("boats")
    assert "q=boat" in page.url
    page.get_by_role("searchbox", name="Search prompts").fill("light*")
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_label("Order").select_option("Newest first")
    expect(page.get_by_role("heading", level=2)).to_have_count(1)
    expect(page.locator(".tile a").first).to_have_attribute("aria-label", "The light of a candle")
    page.get_by_role("button", name="Clear the search").click()
    expect(page.locator(".tile")).to_have_count(3)
