"""What every page looks like in both themes, and that it is accessible: axe finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from local.template import ROOT
from tests.browser.api import Api
from tests.browser.conftest import SCREENSHOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Visit
    from tests.conftest import Service

    Theme = Literal["light", "dark"]
    Size = tuple[int, int]

# Both themes and all widths, but not all of both.
PAIRS: list[tuple[Theme, Size]] = [("light", (1280, 800)), ("dark", (390, 844)), ("light", (320, 640))]
AXE = (ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()


def findings(page: Page, *rules: str) -> list[str]:
    """What axe finds, best practices included, or by these rules alone."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"{AXE}; null")
    only = f", runOnly: {{type: 'rule', values: {list(rules)}}}" if rules else ""
    result: dict[str, Any] = page.evaluate(f"axe.run(document, {{resultTypes: ['violations']{only}}})")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]} {node['failureSummary']}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


def looks(page: Page, name: str, theme: Theme, size: Size | None = None) -> list[str]:
    """What axe finds in a theme and at a size; a screenshot of it is kept."""
    page.emulate_media(color_scheme=theme)
    if size:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        name = f"{name}-{size[0]}"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{theme}.png")
    return findings(page)


def colors(page: Page, name: str, theme: Theme) -> list[str]:
    """What axe finds in another theme of a page that it has seen: only colors differ."""
    page.emulate_media(color_scheme=theme)
    page.screenshot(path=SCREENSHOTS / f"{name}-{theme}.png")
    return findings(page, "color-contrast", "link-in-text-block")


def gallery(page: Page) -> None:
    expect(page.locator(".tile img.seen").first).to_be_visible()


def viewer(page: Page) -> None:
    gallery(page)
    page.locator(".tile a").first.click()
    expect(page.locator(".frame img.seen")).to_be_visible()


def form(page: Page) -> None:
    viewer(page)
    page.get_by_role("button", name="Again", exact=True).click()
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    page.get_by_role("combobox", name="Style").fill("watercolor")
    page.get_by_role("button", name="Aspect ratio").click()


def sign_in(page: Page) -> None:
    gallery(page)
    page.get_by_role("button", name="Account of").click()


def failures(page: Page) -> None:
    page.goto(page.url + "?status=failed")
    expect(page.get_by_text("Nothing here")).to_be_visible()


def keyboard(page: Page) -> None:
    gallery(page)
    page.locator("body").press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def selection(page: Page) -> None:
    gallery(page)
    for tile in page.locator(".tile").all()[:3]:
        tile.hover()
        tile.get_by_role("button", name="Select").click()


def trash(page: Page) -> None:
    gallery(page)
    page.get_by_role("navigation", name="Shelves").get_by_role("link", name="Trash").click()
    expect(page.get_by_text("In the trash")).to_be_visible()


def found(page: Page) -> None:
    gallery(page)
    page.get_by_role("searchbox", name="Search prompts").fill("lake")
    expect(page.locator(".caption mark").first).to_be_visible()


def datasets(page: Page) -> None:
    gallery(page)
    page.get_by_role("button", name="Datasets").click()
    page.get_by_role("button", name="Tea House").click()
    expect(page.get_by_role("group", name="Reference images")).to_be_visible()


def family(page: Page) -> None:
    gallery(page)
    page.get_by_role("link", name="A lake in winter").first.click()
    expect(page.get_by_role("region", name="Family")).to_be_visible()
    expect(page.locator(".frame img.seen")).to_be_visible()


def dashboard(page: Page) -> None:
    page.goto(urljoin(page.url, "/dashboard.html"))
    expect(page.get_by_role("region", name="Settings").get_by_role("listitem").first).to_be_visible()


SIGHTS: dict[str, Callable[[Page], None]] = {
    "gallery": gallery,
    "viewer": viewer,
    "form": form,
    "sign-in": sign_in,
    "nothing": failures,
    "keyboard": keyboard,
    "selection": selection,
    "trash": trash,
    "found": found,
    "datasets": datasets,
    "family": family,
    "dashboard": dashboard,
}


@pytest.fixture(scope="module")
def history(service: Service) -> str:
    """Somebody with something to show."""
    api = Api(service, "painter")
    ratios = ("16:9", "3:4", "1:1", "4:3", "9:16", "3:2", "21:9", "2:3")
    scenes = ("A lake at dawn", "A city at night", "Dunes in the evening", "A forest in autumn", "A harbour", "Peaks")
    for number, ratio in enumerate(ratios):
        scene = scenes[number % len(scenes)]
        image = api.generate(scene, aspect_ratio=ratio, seed=number)
    again = api.call("POST", f"/ai/generated-images/{image['id']}/regenerate", {"prompt": "A lake in winter"})
    api.call("POST", f"/ai/generated-images/{again['id']}/regenerate", {"style": "woodcut"})
    api.call("PUT", f"/ai/generated-images/{again['id']}/favorite")
    api.call("DELETE", f"/ai/generated-images/{api.generate('A blot')['id']}")
    api.call("POST", "/ai/datasets", {"name": "Tea House", "unique_visual_elements": ["bamboo", "paper lamps"]})
    service.stack.client("lambda").invoke(FunctionName=service.stack.resources["FoldDays"], Payload=b"{}")
    return "painter"


@pytest.mark.parametrize("sight", SIGHTS)
def test_it_is_accessible_and_looks_as_it_should(visit: Visit, history: str, sight: str) -> None:
    page = visit(user=history)
    SIGHTS[sight](page)
    assert looks(page, sight, "light") == []
    assert colors(page, sight, "dark") == []


def test_so_it_does_on_a_phone(visit: Visit, history: str) -> None:
    page = visit(user=history, theme="dark", size=(390, 844))
    for sight in ("gallery", "viewer", "datasets", "dashboard"):
        page.goto(urljoin(page.url, "/"))
        SIGHTS[sight](page)
        assert looks(page, f"phone-{sight}", "dark") == []


def test_the_theme_is_the_systems_until_one_is_chosen(visit: Visit) -> None:
    page = visit(theme="dark")

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    assert background() == "rgb(18, 17, 16)"
    page.get_by_role("button", name="Use the light theme").click()
    assert background() == "rgb(250, 249, 247)"
    page.reload()
    assert background() == "rgb(250, 249, 247)"
    page.get_by_role("button", name="Use the dark theme").click()
    assert background() == "rgb(18, 17, 16)"
