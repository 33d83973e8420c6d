"""Nothing that somebody writes is ever more than text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.api import Api

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Visit
    from tests.conftest import Service

ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "' onmouseover='alert(1)",
)
ATTACK = " ".join(ATTACKS)
INJECTED = "[onerror], [onload], [onmouseover], img[src=x]"


@pytest.fixture
def alarmed() -> list[str]:
    """What any dialog said, were there one."""
    return []


def watched(page: Page, alarmed: list[str]) -> None:
    def heard(dialog: Dialog) -> None:
        alarmed.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", heard)


def test_what_is_written_into_any_field_of_the_form_is_shown_as_it_is(visit: Visit, alarmed: list[str]) -> None:
    page = visit(user="attacker", prepare=lambda page: watched(page, alarmed))
    page.get_by_role("button", name="More").click()
    page.get_by_role("textbox", name="Prompt").fill(ATTACK)
    page.get_by_role("combobox", name="Style").fill(ATTACK[:200])
    page.get_by_role("textbox", name="Without").fill(ATTACK)
    page.get_by_role("button", name="Generate").click()
    tile = page.locator(".tile img.seen")
    tile.hover()
    expect(page.locator(".caption")).to_have_text(ATTACK)
    tile.click()
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_role("heading", name=ATTACKS[0])).to_have_text(ATTACK)
    expect(viewer).to_contain_text(f"Without: {ATTACK}")
    assert not alarmed
    assert page.locator(INJECTED).count() == 0


def test_what_is_searched_for_is_shown_as_it_is(visit: Visit, service: Service, alarmed: list[str]) -> None:
    api = Api(service, "finder")
    for attack in ATTACKS:
        api.generate(attack)
    page = visit(user="finder", prepare=lambda page: watched(page, alarmed))
    for attack in ATTACKS:
        page.get_by_role("searchbox", name="Search prompts").fill(attack)
        found = page.locator(".caption").filter(has_text=attack)
        expect(found.locator("mark").first).to_be_attached()
    assert not alarmed
    assert page.locator(INJECTED).count() == 0


def test_what_is_written_into_a_dataset_is_shown_as_it_is(
    visit: Visit, service: Service, alarmed: list[str], tmp_path: Path
) -> None:
    picture = tmp_path / f"{ATTACKS[0]}.webp"
    with urlopen(Api(service, "keeper").generate("A cup")["image_url"]) as answer:
        picture.write_bytes(answer.read())
    page = visit("/?panel=datasets", user="keeper", prepare=lambda page: watched(page, alarmed))
    page.get_by_role("button", name="New dataset").click()
    editor = page.get_by_role("form", name="Dataset")
    for label in ("Name", "Brand", "Vibe"):
        editor.get_by_label(label).fill(ATTACK[:200])
    editor.get_by_label("Unique visual elements").fill("\n".join(ATTACKS))
    editor.get_by_role("button", name="Create").click()
    page.locator("input[type=file]").set_input_files(picture)
    expect(page.get_by_role("img", name=picture.name)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Dataset", exact=True).select_option(ATTACK[:200])
    assert not alarmed
    assert page.locator(INJECTED).count() == 0


def test_what_is_no_token_is_no_more_than_that(visit: Visit, alarmed: list[str]) -> None:
    page = visit(prepare=lambda page: watched(page, alarmed))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("with a token").fill(ATTACK)
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert not alarmed
    assert page.locator(INJECTED).count() == 0


def test_what_is_stored_or_in_the_address_is_shown_as_it_is(visit: Visit, service: Service, alarmed: list[str]) -> None:
    api = Api(service, "victim")
    elements = [attack[:200] for attack in ATTACKS]
    brand = {"name": ATTACK[:200], "brand": ATTACK[:200], "vibe": ATTACK, "unique_visual_elements": elements}
    dataset = api.call("POST", "/ai/datasets", brand)
    image = api.generate(ATTACK, dataset_id=dataset["id"])
    page = visit(f"/?image={image['id']}", user="victim", prepare=lambda page: watched(page, alarmed))
    viewer = page.get_by_role("dialog", name="Image")
    expect(viewer.get_by_role("button", name=ATTACKS[0])).to_contain_text(ATTACK[:200])
    expect(viewer.locator("dl")).to_contain_text(ATTACKS[1])
    page = visit(prepare=lambda page: watched(page, alarmed))
    for attack in ATTACKS:
        names = ("status", "dataset_id", "from", "to", "image", "panel")
        page.goto(f"{service.url}/?{'&'.join(f'{name}={attack}' for name in names)}")
        expect(page.get_by_role("dialog", name="Image").get_by_role("alert")).to_be_visible()
    assert not alarmed


def test_a_page_runs_and_shows_only_what_is_its_own(visit: Visit, service: Service) -> None:
    page = visit()
    policy = page.request.get(service.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    document = page.request.get(service.url).text()
    assert "<style" not in document
    assert "style=" not in document
    assert document.count("<script") == len(re.findall(r'<script (type="module" )?src="/assets/', document)) > 0
