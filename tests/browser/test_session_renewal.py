"""A session that its issuer renews, or does not, and the way to the issuer when it has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

from local.token import token
from tests.browser.conftest import session
from tests.browser.ending import Session, cover

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Visit
    from tests.conftest import Service


@pytest.fixture
def issuer(service: Service) -> Callable[..., list[str]]:
    """An issuer whose token endpoint renews a user's session, refuses with a status, or with 0 cannot be reached."""
    origin = "https://issuer.test"

    def set_up(page: Page, user: str, status: int) -> list[str]:
        asked: list[str] = []

        def tokens(route: Route) -> None:
            asked.append(route.request.post_data or "")
            fresh = {"access_token": token(service.folder, user, []), "token_type": "Bearer"}
            if status:
                route.fulfill(status=status, json=fresh if status == 200 else {"error": "invalid_grant"})
            else:
                route.abort()

        found = {"issuer": origin, "token_endpoint": f"{service.url}/token"}
        config = {"issuer": origin, "discovery": "/discovery.json", "client_id": "pages", "audience": "pages"}
        page.route("**/config.json", lambda route: route.fulfill(json=config))
        page.route("**/discovery.json", lambda route: route.fulfill(json=found))
        page.route("**/token", tokens)
        kept = json.loads(session(service, user, None)) | {"refresh": "a refresh token"}
        page.add_init_script(f"sessionStorage.session ??= {json.dumps(json.dumps(kept))}")
        return asked

    return set_up


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_token_is_renewed_once_or_the_session_has_ended(
    visit: Visit, issuer: Callable[..., list[str]], status: int
) -> None:
    asked: list[list[str]] = []
    page = visit(prepare=lambda page: asked.append(issuer(page, f"renewer-{status}", status)))
    expect(page.get_by_text("Your first image")).to_be_visible()
    page.get_by_role("textbox", name="Prompt").fill("Half a thought")
    Session(page).end()
    page.reload()
    if status == 200:
        expect(page.get_by_text("Your first image")).to_be_visible()
        expect(cover(page)).to_have_count(0)
    else:
        expect(cover(page)).to_be_visible()
    assert len(asked[0]) == 1
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Half a thought")


def test_a_network_that_is_away_ends_no_session(visit: Visit, issuer: Callable[..., list[str]]) -> None:
    page = visit(prepare=lambda page: issuer(page, "offline", 0))
    expect(page.get_by_text("Your first image")).to_be_visible()
    page.evaluate("sessionStorage.session = JSON.stringify({...JSON.parse(sessionStorage.session), expires: 1})")
    page.reload()
    expect(page.get_by_role("alert").filter(has_text="cannot be reached")).to_be_visible()
    expect(cover(page)).to_have_count(0)


def test_signing_in_at_the_issuer_leaves_the_page_as_it_is(visit: Visit, service: Service) -> None:
    email, password = "eve@example.com", "Correct-horse-7-battery"
    cognito, pool = service.stack.client("cognito-idp"), service.stack.outputs["UserPoolId"]
    cognito.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)

    def at_issuer(window: Page) -> None:
        window.get_by_label("Username").fill(email)
        window.get_by_label("Password").fill(password)
        window.get_by_role("button", name="Sign in").click()

    page = visit()
    page.get_by_role("textbox", name="Prompt").fill("Half a thought")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign in with your account").click()
    at_issuer(page)
    expect(page.get_by_role("button", name="Account of")).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Half a thought")
    page.evaluate("sessionStorage.session = JSON.stringify({...JSON.parse(sessionStorage.session), refresh: null})")
    page.reload()
    Session(page).end()
    page.evaluate("window.unharmed = true")
    page.get_by_role("textbox", name="Prompt").press("Enter")
    with page.expect_popup() as opened:
        cover(page).get_by_role("button", name="Sign in with your account").click()
    with opened.value.expect_event("close"):
        at_issuer(opened.value)
    expect(cover(page)).to_have_count(0)
    expect(page.locator(".tile img.seen")).to_have_count(1)
    assert page.evaluate("window.unharmed")
