"""What a visitor's browser has to load, and what 10,000 images cost it while it scrolls through them."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING

from playwright.sync_api import CDPSession, sync_playwright

from local import pages
from tests.bench.rows import Row
from tests.browser import endless
from tests.browser.chromium import launched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.processes import Stub
    from tests.bench.rows import Effort

STEP = 90  # pixels a frame: a brisk turn of the wheel
_SCROLL = """async ([frames, step]) => {
  const times = [];
  for (let last = performance.now(), n = 0; n < frames; n++) {
    scrollBy(0, step);
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def rows(_stub: Stub, effort: Effort) -> list[Row]:
    """Sizes of both pages, then the gallery with everything loaded."""
    names = {"index.html": "gallery", "dashboard.html": "dashboard"}
    weights = [Row(f"{names[page]}: first load, compressed", "kB", pages.weight(page) / 1000) for page in pages.PAGES]
    return [*weights, *_scrolling(60 * effort.images, effort.scrolled)]


def _scrolling(frames: int, images: int) -> Iterator[Row]:
    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        endless.open_gallery(page, images)
        endless.scroll_to_the_end(page, images)
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 3)")
        page.wait_for_timeout(500)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = _metrics(session)
        times = page.evaluate(_SCROLL, [frames, STEP])
        after = _metrics(session)
        elements = page.evaluate("document.querySelectorAll('*').length")
        browser.close()
    what = f"gallery, {images:,} images"
    busy = {name: (after[name] - before[name]) / frames * 1000 for name in ("TaskDuration", "ScriptDuration")}
    cuts = quantiles(times, n=100)
    yield Row(f"{what}: elements in the document", "", elements)
    yield Row(f"{what}: JavaScript heap", "MB", after["JSHeapUsedSize"] / 1e6)
    yield Row(f"{what}: main thread per frame of scrolling", "ms", busy["TaskDuration"])
    yield Row(f"{what}: of that, script", "ms", busy["ScriptDuration"])
    yield Row(f"{what}: frame time p50", "ms", cuts[49])
    yield Row(f"{what}: frame time p95", "ms", cuts[94])


def _metrics(session: CDPSession) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
