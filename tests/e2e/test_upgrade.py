"""A data folder of an earlier version opens with all of its content."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from local.testing import Service, running
from tests.browser.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "data" / "data-folder-68477d7.tar.gz"


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`make run` on what a version without credentials, checksums and private folders left behind."""
    folder = tmp_path_factory.mktemp("upgraded")
    with tarfile.open(FOLDER) as archive:
        archive.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(folder)  # noqa: S202
    with running(folder / "data"):
        pass  # converts the files; everything must also be there after a second start
    with running(folder / "data") as service:
        yield service


def test_a_users_history_is_whole(upgraded: Service) -> None:
    alice = Api(upgraded, "alice")
    images = alice.call("GET", "/ai/generated-images?limit=200")["images"]
    assert [(image["prompt"], image["seed"], image["favorite"]) for image in images if not image["parent_id"]] == [
        ("kept image 6", 6, False),
        ("kept image 5", 5, False),
        ("kept image 4", 4, False),
        ("kept image 3", 3, False),
        ("kept image 1", 1, True),
    ]
    (again,) = [image for image in images if image["parent_id"]]
    assert again["parent_id"] == next(image["id"] for image in images if image["seed"] == 3 and image is not again)
    for image in images:
        for url in (image["image_url"], image["thumbnail_url"]):
            with urlopen(upgraded.url + "/" + url.split("/", 3)[3]) as answer:
                assert answer.read()


def test_the_trash_can_be_restored(upgraded: Service) -> None:
    alice = Api(upgraded, "alice")
    (trashed,) = alice.call("GET", "/ai/generated-images?status=deleted")["images"]
    assert trashed["prompt"] == "kept image 2"
    picture = f"{upgraded.url}/images/{trashed['id']}.webp"
    with pytest.raises(HTTPError, match="404") as hidden:
        urlopen(picture)
    hidden.value.close()
    alice.call("POST", f"/ai/generated-images/{trashed['id']}/restore")
    with urlopen(picture) as answer:
        assert answer.read()
    alice.call("DELETE", f"/ai/generated-images/{trashed['id']}")


def test_datasets_reports_and_search_are_there(upgraded: Service) -> None:
    alice = Api(upgraded, "alice")
    assert len(alice.call("GET", "/ai/datasets")["datasets"]) == 1
    found = alice.call("GET", "/ai/generated-images/search?q=kept&limit=50")["images"]
    assert {image["prompt"] for image in found} == {f"kept image {number}" for number in (1, 3, 4, 5, 6)}
    assert alice.call("GET", "/ai/analytics/volume")["total"]["records"] == 7


def test_what_has_no_owner_is_there(upgraded: Service) -> None:
    images = Api(upgraded).call("GET", "/ai/generated-images?limit=200")["images"]
    assert sorted(image["prompt"] for image in images) == ["anonymous 1", "anonymous 2"]


def test_new_images_join_it(upgraded: Service) -> None:
    bob = Api(upgraded, "bob")
    image = bob.generate("made after the upgrade")
    assert bob.call("GET", "/ai/generated-images")["images"][0]["id"] == image["id"]
