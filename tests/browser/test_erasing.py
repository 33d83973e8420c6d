"""Somebody leaves for good, and is told when it is done, whatever the network does meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Dialog, expect

from tests.browser.api import Api

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.conftest import Visit
    from tests.conftest import Service


def test_an_account_is_erased_with_a_receipt(visit: Visit, service: Service) -> None:
    def agree(dialog: Dialog) -> None:
        dialog.accept()

    failing = ["abort", "busy"]

    def look(route: Route) -> None:
        how = failing.pop() if failing else ""
        if how == "abort":
            route.abort()
        elif how == "busy":
            route.fulfill(status=503, json={"detail": "Too busy."})
        else:  # the wait for the longest request is another test's
            job = route.fetch().json()
            times = {"requested_at": job["created_at"], "finished_at": job["updated_at"]}
            route.fulfill(
                json={**job, "status": "succeeded", "receipt": {"counts": {"records": 1, "datasets": 2}, **times}}
            )

    api = Api(service, "goer")
    api.generate("A last look")
    page = visit("/dashboard.html", user="goer")
    page.on("dialog", agree)
    page.route("**/ai/jobs/*", look)
    page.get_by_role("button", name="Account of goer").click()
    page.get_by_role("button", name="Delete all that is mine").click()
    told = page.get_by_role("dialog", name="Deletion of your account")
    expect(told.get_by_role("status").filter(has_text="some minutes")).to_be_visible()
    expect(told.get_by_role("heading", name="All that was yours is deleted")).to_be_visible()
    expect(told).to_contain_text("3 things are gone for good")
    assert not failing
    receipt = told.locator("code").inner_text()
    assert api.call("GET", f"/ai/jobs/{receipt}")["kind"] == "erase_user"
    assert api.call("GET", "/ai/generated-images?status=all")["images"] == []
    told.get_by_role("button", name="Sign out").click()
    expect(told).to_have_count(0)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_refused_erasure_says_so_until_it_is_read(visit: Visit) -> None:
    page = visit(user="stayer")
    page.on("dialog", lambda dialog: dialog.accept())
    page.route("**/ai/users/me", lambda route: route.fulfill(status=500, json={"detail": "Something broke."}))
    page.get_by_role("button", name="Account of stayer").click()
    page.get_by_role("button", name="Delete all that is mine").click()
    told = page.get_by_role("dialog", name="Deletion of your account")
    expect(told.get_by_role("alert")).to_have_text("Something broke.")
    told.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("button", name="Account of stayer")).to_be_visible()
