"""A history of images that nobody made, for what only shows when there are many."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route

from imagetrail.records import COLUMNS
from local import site

_ORIGIN = "http://gallery.test"
_GALLERY = f"{_ORIGIN}/index.html"
_RATIOS = ("16:9", "3:4", "1:1", "4:3", "9:16", "3:2", "21:9", "2:3")

_SCROLL = """last => new Promise(done => {
  const on = () => {
    scrollTo(0, document.documentElement.scrollHeight);
    if (document.querySelector(last)) done(null);
    else setTimeout(on, 20);
  };
  on();
})"""


def open_gallery(page: Page, images: int) -> None:
    """The gallery over a history of so many."""
    page.route("**/*", lambda route: _answer(route, images))
    page.goto(_GALLERY)
    page.locator(".tile").first.wait_for()


def scroll_to_the_end(page: Page, images: int) -> None:
    """Until all of it is loaded, and the last of it shown."""
    page.evaluate(_SCROLL, f"[aria-posinset='{images}']")


def _answer(route: Route, total: int) -> None:
    """A front door without a service: the built pages, one picture for all, and a history without an end of work."""
    address = urlsplit(route.request.url)
    path = address.path.removeprefix("/")
    if address.path == "/ai/generated-images":
        query = parse_qs(address.query)
        total = 0 if query.get("status") == ["pending"] else total
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        images = [_record(number, total) for number in range(start, min(start + limit, total))]
        following = str(start + limit) if start + limit < total else None
        page = {"images": images, "count": len(images), "offset": start, "limit": limit, "next_cursor": following}
        route.fulfill(status=200, content_type="application/json", body=json.dumps(page))
    elif path.startswith("thumbnails/"):
        route.fulfill(status=200, content_type="image/svg+xml", body=(site.FOLDER / "icon.svg").read_bytes())
    elif (site.FOLDER / path).is_file():
        route.fulfill(status=200, body=(site.FOLDER / path).read_bytes(), headers=dict(site.headers(path)))
    else:
        route.fulfill(status=404, content_type="application/problem+json", body="{}")


def _record(number: int, total: int) -> dict[str, Any]:
    ratio = _RATIOS[number % len(_RATIOS)]
    wide, high = map(int, ratio.split(":"))
    day = total - number
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
