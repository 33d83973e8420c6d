"""Reference images as a browser has them: everything through the front door, nothing but what the answers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from imagetrail.answers import Dataset, ReferenceUpload
from local.token import token
from tests.e2e.test_api import Answer, Client
from tests.integration.uploads import fetch, picture, post
from tests.waiting import until

if TYPE_CHECKING:
    from tests.conftest import Service


def signed_in(service: Service) -> Client:
    return Client(service.url, f"Bearer {token(service.folder, f'brand-{uuid4()}', [])}")


def settled(caller: Client, path: str) -> Answer:
    until(lambda: all(image["status"] != "awaiting" for image in caller.get(path).json["reference_images"]))
    return caller.get(path)


def test_from_the_form_to_the_picture(service: Service) -> None:
    alice = signed_in(service)
    path = alice.call("POST", "/ai/datasets", {"name": "Tea House"}).headers["location"]
    asked = alice.call("POST", f"{path}/reference-images", {"content_type": "image/jpeg", "file_name": "a.jpg"})
    assert asked.status == 201
    upload = ReferenceUpload.model_validate_json(asked.body)
    assert upload.url.startswith(f"{service.url}/")
    assert post(asked.json, picture(".jpg"))[0] == 204
    (image,) = Dataset.model_validate_json(settled(alice, path).body).reference_images
    assert (image.id, image.status, image.content_type) == (upload.id, "ready", "image/jpeg")
    for url in (image.url, image.thumbnail_url):
        assert url is not None
        assert url.startswith(f"{service.url}/")
        assert fetch(url)[0] == 200
        assert fetch(url.replace("X-Amz-Signature=", "X-Amz-Signature=0"))[0] == 403
        assert fetch(url.partition("?")[0])[0] == 404
    gone = alice.call("DELETE", f"{path}/reference-images/{image.id}")
    assert (gone.status, gone.json["reference_images"]) == (200, [])
    assert fetch(str(image.url))[0] == 404
    assert alice.call("DELETE", f"{path}/reference-images/{image.id}").problem().code == "not_found"


def test_a_file_too_large_is_refused_by_the_form(service: Service) -> None:
    alice = signed_in(service)
    path = alice.call("POST", "/ai/datasets", {"name": "Tea House"}).headers["location"]
    upload = alice.call("POST", f"{path}/reference-images", {"content_type": "image/png"}).json
    assert post(upload, bytes(upload["max_bytes"] + 1))[0] == 400
    anonymous = Client(service.url)
    assert anonymous.call("POST", f"{path}/reference-images", {"content_type": "image/png"}).problem().status == 404
    refused = alice.call("POST", f"{path}/reference-images", {"content_type": "image/gif"}).problem()
    assert refused.errors
    assert refused.errors[0].field == "content_type"


def test_a_change_of_what_was_read(service: Service) -> None:
    alice = signed_in(service)
    made = alice.call("POST", "/ai/datasets", {"name": "Tea House"})
    path, first = made.headers["location"], made.headers["etag"]
    assert alice.get(path).headers["etag"] == first

    def change(vibe: str, tag: str) -> Any:
        caller = Client(service.url, alice.headers["Authorization"])
        caller.headers["If-Match"] = tag
        return caller.call("PATCH", path, {"vibe": vibe})

    changed = change("calm", first)
    assert (changed.status, changed.json["vibe"]) == (200, "calm")
    assert changed.headers["etag"] != first
    assert change("loud", first).problem().code == "precondition_failed"
    assert change("loud", "nonsense").status == 412
    assert change("bright", f'"0", {changed.headers["etag"]}').status == 200
    assert change("warm", "*").json["vibe"] == "warm"
