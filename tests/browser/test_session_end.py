"""The end of a session is no change of person: nothing is lost, and nothing goes out in another name."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from playwright.sync_api import Dialog, Page, Request, expect

from tests.browser.api import Api
from tests.browser.conftest import session
from tests.browser.ending import Session, cover, sign_in
from tests.browser.test_appearance import PAIRS, looks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Visit
    from tests.conftest import Service


def heard(page: Page, path: str) -> list[Request]:
    """The requests to this path, as they are sent."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if request.url.endswith(path) else None)
    return found


def test_everything_is_where_it_was_after_signing_in_again(visit: Visit, service: Service) -> None:
    api = Api(service, "returner")
    made = [api.generate(f"Hill {number}", aspect_ratio="1:1") for number in range(12)]
    page = visit(user="returner", size=(700, 500))
    page.get_by_role("button", name="More").click()
    page.get_by_role("textbox", name="Prompt").fill("Half a thought")
    page.get_by_role("textbox", name="Seed").fill("77")
    page.get_by_role("combobox", name="Style").fill("ink")
    page.get_by_role("link", name="Hill 11").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="Hill 0")).to_be_focused()
    for key in ("x", "ArrowLeft", "x"):
        page.keyboard.press(key)
    expect(page.locator(".tile.picked")).to_have_count(2)
    scrolled = page.evaluate("scrollY")
    assert scrolled > 0
    held = Session(page)
    held.end()
    page.get_by_role("toolbar", name="Selected images").get_by_role("button", name="Favorite", exact=True).click()
    expect(cover(page)).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)
    for key in ("Escape", "Escape", "?", "/"):
        page.keyboard.press(key)
    expect(cover(page)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(1)
    sign_in(page, service, "returner")
    expect(cover(page)).to_have_count(0)
    expect(page.locator(".toast")).to_contain_text("2 images added to favorites")
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Half a thought")
    expect(page.get_by_role("textbox", name="Seed")).to_have_value("77")
    expect(page.get_by_role("combobox", name="Style")).to_have_value("ink")
    assert page.evaluate("scrollY") == scrolled
    favorites = api.call("GET", "/ai/generated-images?favorite=true")["images"]
    assert [one["id"] for one in favorites] == [made[1]["id"], made[0]["id"]]


def test_a_generation_goes_out_once_and_in_its_own_name(visit: Visit, service: Service) -> None:
    page = visit(user="owner-1")
    Session(page).end()
    sent = heard(page, "/ai/generate")
    page.get_by_role("textbox", name="Prompt").fill("A kite")
    page.keyboard.press("Enter")
    expect(cover(page)).to_be_visible()
    sign_in(page, service, "owner-1")
    expect(page.locator(".tile img.seen")).to_have_count(1)
    assert len(sent) == 2
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    assert len({request.headers["authorization"] for request in sent}) == 2
    assert Api(service, "owner-1").call("GET", "/ai/generated-images?status=all")["count"] == 1
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("A kite")


def test_an_open_image_stays_open(visit: Visit, service: Service) -> None:
    api = Api(service, "watcher")
    image = api.generate("For my eyes")
    page = visit(user="watcher")
    page.get_by_role("link", name="For my eyes").click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_role("heading", name="For my eyes")).to_be_visible()
    Session(page).end()
    page.get_by_role("button", name="Favorite", exact=True).click()
    expect(cover(page)).to_be_visible()
    page.go_back()
    expect(viewer).to_have_count(0)
    page.go_forward()
    expect(page).to_have_url(re.compile("image="))
    page.keyboard.press("Escape")
    expect(cover(page)).to_be_visible()
    with page.expect_response("**/favorite"):
        sign_in(page, service, "watcher")
    expect(cover(page)).to_have_count(0)
    expect(viewer.get_by_role("button", name="Favorite", exact=True)).to_have_attribute("aria-pressed", "true")
    assert api.call("GET", f"/ai/generated-images/{image['id']}")["favorite"] is True


def test_another_person_finds_nothing_of_the_first(visit: Visit, service: Service) -> None:
    api = Api(service, "first")
    image = api.generate("A secret of the first")
    api.call("POST", "/ai/datasets", {"name": "The first brand"})
    Api(service, "second").generate("A picture of the second")
    page = visit(f"/?q=secret&image={image['id']}", user="first")
    expect(page.get_by_role("dialog", name="Image").get_by_role("heading", name="A secret")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("textbox", name="Prompt").fill("Words of the first")
    held = Session(page)
    held.end()
    sent = heard(page, "/ai/generate")
    page.keyboard.press("Enter")
    expect(cover(page)).to_be_visible()
    sign_in(page, service, "second")
    expect(page.get_by_role("link", name="A picture of the second")).to_be_visible()
    expect(page.get_by_text("A secret of the first")).to_have_count(0)
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("")
    expect(page.get_by_role("option", name="The first brand")).to_have_count(0)
    assert page.url == f"{service.url}/"
    assert len(sent) == 1
    assert "of the first" not in json.dumps(page.evaluate("({...sessionStorage})"))
    assert Api(service, "second").call("GET", "/ai/generated-images?status=all")["count"] == 1


@pytest.mark.parametrize("keeps", [False, True])
def test_nothing_goes_out_without_an_account_before_a_yes(visit: Visit, service: Service, keeps: bool) -> None:
    user = f"leaver-{keeps}"
    Api(service, user).generate("A private picture")
    page = visit(user=user)
    page.get_by_role("link", name="A private picture").wait_for()
    answers, asked = [False, True], []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept() if answers.pop(0) else dialog.dismiss()

    page.on("dialog", answer)
    sent = heard(page, "/ai/generate")
    Session(page).end()
    prompt = page.get_by_role("textbox", name="Prompt")
    prompt.fill("A private thought")
    page.keyboard.press("Enter")
    if keeps:
        cover(page).get_by_label("Keep the prompt").check()
    cover(page).get_by_role("button", name="Continue without an account").click()
    expect(cover(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("link", name="A private picture")).to_have_count(0)
    expect(prompt).to_have_value("A private thought" if keeps else "")
    page.evaluate("sessionStorage.session = 'null'")  # where it is missing, `visit` signs in again
    page.reload()
    expect(prompt).to_have_value("A private thought" if keeps else "")
    prompt.fill("A public thought")
    page.keyboard.press("Enter")
    expect(prompt).to_have_value("A public thought")
    assert [request.headers.get("authorization", "") != "" for request in sent] == [True]
    page.keyboard.press("Enter")
    expect(page.locator(".tile").filter(has_text="A public thought").locator("img.seen")).to_be_visible()
    assert len(sent) == 2
    assert len(asked) == 2
    assert all("will be public" in message for message in asked)


def test_it_is_noticed_while_nothing_is_sent(visit: Visit, service: Service) -> None:
    page = visit(user="sleeper", prepare=lambda page: page.clock.install())
    page.get_by_role("textbox", name="Prompt").fill("Before the night")
    expect(page.get_by_text("Your first image")).to_be_visible()
    page.clock.fast_forward("02:00:00")
    expect(cover(page)).to_be_visible()
    page.reload()
    expect(cover(page)).to_be_visible()
    sign_in(page, service, "sleeper")


@pytest.mark.parametrize("path", ["/", "/dashboard.html"])
def test_however_much_is_refused_it_is_told_once(visit: Visit, service: Service, path: str) -> None:
    kept = json.loads(session(service, "late", None))
    kept["token"] = kept["token"][:-8] + "AAAAAAAA"
    script = f"sessionStorage.session ??= {json.dumps(json.dumps(kept))}"
    page = visit(path, prepare=lambda page: page.add_init_script(script))
    expect(cover(page)).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("dialog")).to_have_count(1)
    expect(page.locator(".toast")).to_have_count(0)
    sign_in(page, service, "late")
    expect(cover(page)).to_have_count(0)
    expect(page.get_by_text("Your first image").or_(page.get_by_text("Nothing in these days").first)).to_be_visible()


def test_another_tab_of_the_same_person_goes_on_as_well(visit: Visit, service: Service) -> None:
    page = visit(user="two-tabs")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("textbox", name="Prompt").fill("In the other tab")
    for tab in (page, other):
        Session(tab).end()
    for tab in (page, other):
        tab.get_by_role("navigation", name="Shelves").get_by_role("link", name="Favorites").click()
        expect(cover(tab)).to_be_visible()
    page.wait_for_timeout(1100)  # a token's times are whole seconds: the new one expires later than the old one
    sign_in(page, service, "two-tabs")
    expect(cover(page)).to_have_count(0)
    expect(cover(other)).to_have_count(0)
    expect(other.get_by_role("textbox", name="Prompt")).to_have_value("In the other tab")


def test_an_upload_and_a_bulk_action_go_on(visit: Visit, service: Service, tmp_path: Path) -> None:
    api = Api(service, "busy")
    dataset = api.call("POST", "/ai/datasets", {"name": "Half done"})
    made = [api.generate(f"Stone {number}") for number in range(3)]
    page = visit("/?panel=datasets", user="busy")
    editor = page.get_by_role("form", name="Dataset")
    page.get_by_role("button", name="Half done").click()
    editor.get_by_label("Brand").fill("Not saved yet")
    Session(page).end()
    picture = tmp_path / "a.webp"
    with urlopen(made[0]["image_url"]) as answer:
        picture.write_bytes(answer.read())
    page.locator("input[type=file]").set_input_files(picture)
    expect(cover(page)).to_be_visible()
    sign_in(page, service, "busy")
    expect(page.get_by_role("img", name="a.webp")).to_be_visible()
    expect(editor.get_by_label("Brand")).to_have_value("Not saved yet")
    assert len(api.call("GET", f"/ai/datasets/{dataset['id']}")["reference_images"]) == 1
    page.once("dialog", lambda dialog: dialog.accept())
    page.keyboard.press("Escape")
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    Session(page).end()
    page.get_by_role("toolbar", name="Selected images").get_by_role("button", name="Move to trash").click()
    expect(cover(page)).to_be_visible()
    sign_in(page, service, "busy")
    expect(page.get_by_role("status").filter(has_text="3 images moved to the trash")).to_be_visible()
    trash = api.call("GET", "/ai/generated-images?status=deleted")["images"]
    assert {one["id"] for one in trash} == {one["id"] for one in made}


def test_the_cover_is_accessible(visit: Visit, service: Service) -> None:
    Api(service, "covered").generate("A covered picture")
    page = visit(user="covered")
    page.locator(".tile img.seen").first.wait_for()
    Session(page).end()
    page.get_by_role("textbox", name="Prompt").fill("A thought")
    page.keyboard.press("Enter")
    expect(cover(page).get_by_role("button", name="Sign in with your account")).to_be_visible()
    for theme, size in PAIRS:
        assert looks(page, "session-end", theme, size) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
