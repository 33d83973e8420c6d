"""Very many images: only what is near the window is in the document, and nothing moves when a picture arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser import endless

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_IMAGES = 600  # of which a document with all would have ten times as many elements as it may
_SHIFTS = """new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.shifted = (window.shifted ?? 0) + entry.value;
}).observe({type: "layout-shift", buffered: true})"""


def test_however_many_there_are_few_are_drawn_and_all_can_be_reached(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(_SHIFTS)
    endless.open_gallery(page, _IMAGES)
    drawn = page.locator(".tile").count()
    endless.scroll_to_the_end(page, _IMAGES)
    last = page.locator(f"[aria-posinset='{_IMAGES}']")
    expect(last).to_be_visible()
    assert page.evaluate("document.querySelectorAll('*').length") < 1500
    assert page.locator(".tile").count() < 3 * drawn
    last.locator("a").focus()
    page.keyboard.press("Home")
    expect(page.locator("[aria-posinset='1'] a")).to_be_focused()
    assert page.evaluate("scrollY") < 800
    assert page.evaluate("window.shifted ?? 0") < 0.05
    page.close()
