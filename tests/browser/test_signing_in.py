"""Signing in: at the issuer, with a token, and out again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from local.token import token
from tests.browser.api import Api

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import Service

EMAIL, PASSWORD = "ada@example.com", "Correct-horse-7-battery"


def test_a_user_signs_in_at_the_issuer_and_out(visit: Visit, service: Service) -> None:
    cognito, pool = service.stack.client("cognito-idp"), service.stack.outputs["UserPoolId"]
    cognito.admin_create_user(UserPoolId=pool, Username=EMAIL, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=EMAIL, Password=PASSWORD, Permanent=True)
    page = visit("/?status=all")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign in with your account").click()
    page.get_by_label("Username").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{service.url}/?status=all")
    expect(page.get_by_text("Your first image").or_(page.get_by_text("Nothing here"))).to_be_visible()
    page.get_by_role("textbox", name="Prompt").fill("Mine alone")
    page.keyboard.press("Enter")
    page.locator(".tile img.seen").click()
    expect(page.get_by_role("dialog", name="Image").get_by_text("By", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("Account of")).click()
    expect(page.locator(".who")).to_have_text(EMAIL)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("link", name="Mine alone")).to_have_count(0)


def test_a_token_from_anywhere_signs_in(visit: Visit, service: Service) -> None:
    Api(service, "grace").generate("Only for Grace")
    page = visit()
    page.get_by_role("button", name="Sign in").click()
    field = page.get_by_label("with a token")
    field.fill("nonsense")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not a token")
    field.fill(f"Bearer {token(service.folder, 'grace', [])}")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("link", name="Only for Grace")).to_be_visible()


def test_a_token_that_the_api_refuses_is_refused_before_it_is_used(visit: Visit, service: Service) -> None:
    forged = token(service.folder, "mallory", [])[:-8] + "AAAAAAAA"
    page = visit()
    page.get_by_role("textbox", name="Prompt").fill("Half a thought")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("with a token").fill(forged)
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("alert")).to_contain_text("does not accept this token")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Half a thought")


def test_an_admin_is_told_of_it(visit: Visit) -> None:
    page = visit(user="superuser", groups=["admin"])
    page.get_by_role("button", name="Account of superuser").click()
    expect(page.get_by_text("sees everybody's images")).to_be_visible()
