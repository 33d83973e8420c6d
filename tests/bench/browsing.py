"""What a visitor's browser has to load, and what 10,000 images cost it while it scrolls through them."""

from __future__ import annotations

import json
from statistics import quantiles
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import CDPSession, Route, sync_playwright

from imagetrail.records import COLUMNS
from local import pages, site
from tests.bench.rows import Row
from tests.browser.chromium import launched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.processes import Stub
    from tests.bench.rows import Effort

IMAGES = 10_000
STEP = 90  # pixels a frame: a brisk turn of the wheel
_ORIGIN = "http://gallery.test"
_RATIOS = ("16:9", "3:4", "1:1", "4:3", "9:16", "3:2", "21:9", "2:3")
_PICTURE = (site.FOLDER / "icon.svg").read_bytes() if site.FOLDER.exists() else b""
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
    return [*weights, *_scrolling(60 * effort.images)]


def _scrolling(frames: int) -> Iterator[Row]:
    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.route("**/*", _answer)
        page.goto(f"{_ORIGIN}/index.html")
        page.locator(".tile").first.wait_for()
        while page.locator(f"[aria-setsize='{IMAGES}']").count() == 0:
            page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            page.wait_for_timeout(20)
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 3)")
        page.wait_for_timeout(500)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = _metrics(session)
        times = page.evaluate(_SCROLL, [frames, STEP])
        after = _metrics(session)
        elements = page.evaluate("document.querySelectorAll('*').length")
        browser.close()
    what = f"gallery, {IMAGES:,} images"
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


def _answer(route: Route) -> None:
    """A front door without a service: the built pages, one picture for all, and a history without an end of work."""
    address = urlsplit(route.request.url)
    path = address.path.removeprefix("/")
    if address.path == "/ai/generated-images":
        query = parse_qs(address.query)
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        images = [_record(number) for number in range(start, min(start + limit, IMAGES))]
        following = str(start + limit) if start + limit < IMAGES else None
        page = {"images": images, "count": len(images), "offset": start, "limit": limit, "next_cursor": following}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(page))
    elif path.startswith("thumbnails/"):
        route.fulfill(status=200, content_type="image/svg+xml", body=_PICTURE)
    elif (site.FOLDER / path).is_file():
        route.fulfill(status=200, body=(site.FOLDER / path).read_bytes(), headers=dict(site.headers(path)))
    else:
        route.fulfill(status=404, content_type="application/problem+json", body="{}")


def _record(number: int) -> dict[str, Any]:
    ratio = _RATIOS[number % len(_RATIOS)]
    wide, high = map(int, ratio.split(":"))
    day = IMAGES - number
    return dict.fromkeys(COLUMNS) | {
        "id": f"00000000-0000-7000-8000-{number:012}",
        "prompt": f"Picture {number}, " + "with a prompt of usual length, " * 6,
        "full_prompt": f"Picture {number}, " + "with a prompt of usual length, " * 6,
        "status": "succeeded",
        "aspect_ratio": ratio,
        "width": 64 * wide,
        "height": 64 * high,
        "image_url": f"{_ORIGIN}/images/{number}.png",
        "thumbnail_url": f"{_ORIGIN}/thumbnails/{number}.webp",
        "created_at": f"20{10 + day // 1000:02}-{1 + day // 84 % 12:02}-{1 + day // 3 % 28:02}T12:00:00.000000Z",
        "favorite": number % 9 == 0,
    }
