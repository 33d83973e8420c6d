"""A brand manager keeps datasets: words, reference images, and what was made with them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import urlopen

from playwright.sync_api import Dialog, Route, expect

from tests.browser.api import Api

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Visit
    from tests.conftest import Service


def test_a_dataset_is_made_changed_and_used(visit: Visit, service: Service) -> None:
    page = visit(user="brand")
    page.get_by_role("button", name="Datasets").click()
    page.get_by_role("button", name="New dataset").click()
    editor = page.get_by_role("form", name="Dataset")
    editor.get_by_label("Name").fill("Tea House")
    editor.get_by_label("Brand").fill("Tea House")
    editor.get_by_label("Unique visual elements").fill("bamboo\n\n paper lamps ")
    editor.get_by_role("button", name="Create").click()
    expect(editor.get_by_text("Version 1")).to_be_visible()
    editor.get_by_label("Vibe").fill("calm")
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_text("Version 2")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Dataset", exact=True).select_option("Tea House")
    page.get_by_role("textbox", name="Prompt").fill("A window")
    page.keyboard.press("Enter")
    page.locator(".tile img.seen").click()
    full = "Brand: Tea House. Vibe: calm. UNIQUE ELEMENTS: bamboo, paper lamps. A window"
    expect(page.get_by_role("dialog", name="Image")).to_contain_text(full)
    assert [one["version"] for one in Api(service, "brand").call("GET", "/ai/datasets")["datasets"]] == [2]


def test_somebody_elses_change_is_not_overwritten(visit: Visit, service: Service) -> None:
    api = Api(service, "two")
    dataset = api.call("POST", "/ai/datasets", {"name": "Shared"})
    page = visit("/?panel=datasets", user="two")
    page.get_by_role("button", name="Shared").click()
    editor = page.get_by_role("form", name="Dataset")
    expect(editor.get_by_label("Name")).to_have_value("Shared")
    api.call("PATCH", f"/ai/datasets/{dataset['id']}", {"vibe": "loud"})
    editor.get_by_label("Name").fill("Mine")
    editor.get_by_role("button", name="Save").click()
    conflict = editor.get_by_role("alert")
    expect(conflict).to_be_visible()
    assert api.call("GET", f"/ai/datasets/{dataset['id']}")["name"] == "Shared"
    conflict.get_by_role("button", name="Show theirs").click()
    expect(editor.get_by_label("Vibe")).to_have_value("loud")
    expect(editor.get_by_label("Name")).to_have_value("Shared")
    expect(conflict).to_have_count(0)
    api.call("PATCH", f"/ai/datasets/{dataset['id']}", {"vibe": "louder"})
    editor.get_by_label("Name").fill("Mine")
    editor.get_by_role("button", name="Save").click()
    conflict.get_by_role("button", name="Keep mine").click()
    expect(editor.get_by_text("Version 4")).to_be_visible()
    kept = api.call("GET", f"/ai/datasets/{dataset['id']}")
    assert (kept["name"], kept["vibe"]) == ("Mine", "loud")


def test_what_was_typed_survives_references_and_suggestions(visit: Visit, service: Service, tmp_path: Path) -> None:
    api = Api(service, "typist")
    dataset = api.call("POST", "/ai/datasets", {"name": "Tea House", "vibe": "calm"})
    with urlopen(api.generate("A lamp")["image_url"]) as answer:
        (tmp_path / "lamp.webp").write_bytes(answer.read())
    page = visit("/?panel=datasets", user="typist")
    page.get_by_role("button", name="Tea House").click()
    editor = page.get_by_role("form", name="Dataset")
    expect(editor.get_by_label("Vibe")).to_have_value("calm")
    editor.get_by_label("Vibe").fill("wild")
    editor.get_by_label("Unique visual elements").fill("my own")
    editor.locator("input[type=file]").set_input_files(tmp_path / "lamp.webp")
    expect(editor.get_by_role("img", name="lamp.webp")).to_be_visible()
    expect(editor.get_by_label("Vibe")).to_have_value("wild")
    expect(editor.get_by_label("Unique visual elements")).to_have_value("my own")

    def seen(route: Route) -> None:
        named = {"unique_visual_elements": ["paper lamps"]}
        route.fulfill(json=api.call("PATCH", f"/ai/datasets/{dataset['id']}", named))

    page.route("**/visual-elements", seen)
    editor.get_by_role("button", name="Let the vision model name what it sees").click()
    expect(editor.get_by_label("Unique visual elements")).to_have_value("my own\npaper lamps")
    editor.get_by_role("button", name="Remove lamp.webp").click()
    expect(editor.get_by_role("img", name="lamp.webp")).to_have_count(0)
    expect(editor.get_by_label("Vibe")).to_have_value("wild")
    editor.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Tea House is saved")).to_be_visible()
    stored = api.call("GET", f"/ai/datasets/{dataset['id']}")
    assert (stored["vibe"], stored["unique_visual_elements"]) == ("wild", ["my own", "paper lamps"])


def test_what_is_not_saved_is_asked_for_before_it_is_left(visit: Visit, service: Service) -> None:
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    for name in ("One", "Two"):
        Api(service, "hasty").call("POST", "/ai/datasets", {"name": name})
    page = visit("/?panel=datasets", user="hasty")
    page.on("dialog", refuse)
    panel = page.get_by_role("dialog", name="Datasets")
    panel.get_by_role("button", name="One").click()
    expect(panel.get_by_label("Name")).to_have_value("One")
    vibe = panel.get_by_label("Vibe")
    vibe.fill("typed")
    for _ in range(2):
        page.keyboard.press("Escape")
    panel.get_by_role("button", name="Close").click()
    page.mouse.click(5, 5)
    for name in ("Two", "New dataset"):
        panel.get_by_role("button", name=name).click()
    expect(vibe).to_have_value("typed")
    assert len(asked) == 6
    vibe.fill("")
    panel.get_by_role("button", name="Two").click()
    expect(panel.get_by_label("Name")).to_have_value("Two")
    panel.get_by_label("Name").press("Escape")
    expect(panel).to_have_count(0)
    assert len(asked) == 6


def test_a_dataset_that_is_not_here_yet_is_no_empty_form(visit: Visit, service: Service) -> None:
    dataset = Api(service, "patient").call("POST", "/ai/datasets", {"name": "Slow"})
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page = visit(user="patient", prepare=lambda page: page.route(f"**/ai/datasets/{dataset['id']}", hold))
    panel = page.get_by_role("dialog", name="Datasets")
    with page.expect_request(f"**/ai/datasets/{dataset['id']}"):
        page.get_by_role("button", name="Datasets").click()
        panel.get_by_role("button", name="Slow").click()
    expect(panel.get_by_text("Loading…")).to_be_visible()
    expect(panel.get_by_role("form")).to_have_count(0)
    waiting.pop().fulfill(status=503, json={"detail": "Too busy."})
    expect(panel.get_by_role("alert")).to_contain_text("Too busy.")
    page.unroute(f"**/ai/datasets/{dataset['id']}")
    panel.get_by_role("button", name="Try again").click()
    expect(panel.get_by_label("Name")).to_have_value("Slow")


def test_references_are_dropped_uploaded_refused_and_removed(visit: Visit, service: Service, tmp_path: Path) -> None:
    api = Api(service, "references")
    api.call("POST", "/ai/datasets", {"name": "Cups"})
    with urlopen(api.generate("Cups on a shelf")["image_url"]) as answer:
        (tmp_path / "shelf.webp").write_bytes(answer.read())
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    (tmp_path / "notes.txt").write_text("not even by name")
    page = visit("/?panel=datasets", user="references")
    page.get_by_role("button", name="Cups").click()
    area = page.get_by_role("group", name="Reference images")
    area.locator("input").set_input_files([tmp_path / name for name in ("shelf.webp", "broken.png", "notes.txt")])
    expect(area.get_by_text("notes.txt: Only PNG, JPEG and WebP")).to_be_visible()
    expect(area.get_by_text("broken.png: ")).to_be_visible()
    expect(area.locator(".refused")).to_have_count(2)
    picture = area.get_by_role("img", name="shelf.webp")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)")
    area.get_by_role("button", name="Remove shelf.webp").click()
    expect(picture).to_have_count(0)
    transfer = page.evaluate_handle(
        """async bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.webp", {type: "image/webp"}));
          return data;
        }""",
        list((tmp_path / "shelf.webp").read_bytes()),
    )
    area.dispatch_event("drop", {"dataTransfer": transfer})
    expect(area.get_by_role("img", name="dropped.webp")).to_be_visible()


def test_a_deleted_dataset_leaves_its_images(visit: Visit, service: Service) -> None:
    def agree(dialog: Dialog) -> None:
        dialog.accept()

    api = Api(service, "leaver")
    dataset = api.call("POST", "/ai/datasets", {"name": "Short-lived"})
    api.generate("A souvenir", dataset_id=dataset["id"])
    page = visit("/?panel=datasets", user="leaver")
    page.on("dialog", agree)
    page.get_by_role("button", name="Short-lived").click()
    page.get_by_role("form", name="Dataset").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").filter(has_text="is being deleted")).to_be_visible()
    expect(page.get_by_role("button", name="Short-lived")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="A souvenir")).to_be_visible()
