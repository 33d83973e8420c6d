"""A real browser on the whole service. Any error that a page logs, and any breach of its policy, fails the test."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from local.problem import ProblemError
from local.template import ROOT
from local.testing import Service, running
from local.token import token
from tests.browser.chromium import launched

SCREENSHOTS = ROOT / "build" / "screenshots"
_PATIENCE = 180_000  # milliseconds, which only a failing test takes

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of the pages' own: what other tests make public does not show in them."""
    with running(tmp_path_factory.mktemp("pages")) as service:
        yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            browser = launched(playwright)
        except ProblemError as error:
            pytest.fail(str(error), pytrace=False)
        expect.set_options(timeout=_PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, service: Service) -> Iterator[Visit]:
    """Opens a page of the service, as its own visitor with its own storage."""
    faults: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        # The browser logs every answer of 400 and more; what the page makes of it is what is tested.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            faults.append(message.text)

    def visit(
        path: str = "/",
        *,
        user: str = "",
        groups: list[str] | None = None,
        theme: str = "light",
        size: tuple[int, int] = (1280, 800),
        timezone: str = "UTC",
        prepare: Callable[[Page], Any] = lambda _page: None,
    ) -> Page:
        context = browser.new_context(
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": size[0], "height": size[1]},
            locale="en-GB",
            timezone_id=timezone,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(_PATIENCE)
        if user:
            context.add_init_script(f"sessionStorage.session ??= {json.dumps(session(service, user, groups))}")
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: faults.append(str(error)))
        prepare(page)
        page.goto(service.url + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not faults


def session(service: Service, user: str, groups: list[str] | None) -> str:
    """What the pages keep of somebody who is signed in."""
    return json.dumps(
        {
            "token": token(service.folder, user, groups or []),
            "refresh": None,
            "identity": None,
            "expires": (time.time() + 3600) * 1000,
            "name": user,
            "admin": "admin" in (groups or []),
        }
    )
