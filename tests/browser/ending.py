"""The end of a session as a test brings it about, and the ways on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.token import token

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

    from tests.conftest import Service


class Session:
    """The session of a page, which `end` ends."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._refused = ""
        page.route("**/ai/**", self._answer)

    def end(self) -> None:
        """Has the API refuse the token that the page holds now."""
        self._refused = self._page.evaluate("JSON.parse(sessionStorage.session).token")

    def _answer(self, route: Route) -> None:
        if self._refused and route.request.headers.get("authorization") == f"Bearer {self._refused}":
            route.fulfill(status=401, json={"code": "unauthenticated", "detail": "The token has expired."})
        else:
            route.fallback()


def cover(page: Page) -> Locator:
    """What covers the page when the session has ended."""
    return page.get_by_role("dialog", name="Your session has ended")


def sign_in(page: Page, service: Service, user: str) -> None:
    """Signs in on the cover with a new token."""
    cover(page).get_by_label("with a token").fill(token(service.folder, user, []))
    cover(page).get_by_role("button", name="Use this token").click()
