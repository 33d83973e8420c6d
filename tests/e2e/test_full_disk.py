"""A disk that fills up: what was acknowledged is kept, writes are refused with a reason, reads go on."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from local.testing import Service, running
from tests.browser.api import Api
from tests.small_disk import mount, small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL, LARGE = "14m", "60m"
ENOUGH = 60  # images, far more than fit


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, too small for what is to come."""
    with small_disk(tmp_path / "disk", f"size={SMALL}") as folder:
        yield folder


def fill(api: Api) -> tuple[list[str], list[dict[str, object]]]:
    """Ids of the images that were acknowledged, and the refusals, until there have been three."""
    made, refused = [], []
    for number in range(ENOUGH):
        try:
            made.append(api.generate(f"image {number}", seed=number, format="png")["id"])
        except HTTPError as error:
            with error:
                refused.append({"status": error.code, **json.load(error)})
        if len(refused) == 3:
            break
    return made, refused


def readable(service: Service, api: Api) -> set[str]:
    """Ids of all images whose pixels and thumbnails are there."""
    images = api.call("GET", "/ai/generated-images?limit=200")["images"]
    for image in images:
        for url in (image["image_url"], image["thumbnail_url"]):
            with urlopen(service.url + url.partition(":")[2].partition(":")[2].lstrip("0123456789")) as answer:
                assert answer.read()
    return {image["id"] for image in images}


def test_nothing_acknowledged_is_lost_when_the_disk_fills_up(disk: Path) -> None:
    data = disk / "data"
    with running(data) as service:
        api = Api(service, "alice")
        made, refused = fill(api)
        assert made
        assert [problem["status"] for problem in refused] == [503, 503, 503]
        assert all("The disk is full" in str(problem["detail"]) for problem in refused)
        assert readable(service, api) == set(made)

        mount("-o", f"remount,size={LARGE}", "none", str(disk))
        deadline = time.monotonic() + 30
        while "there is room on the disk again" not in service.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        made.append(api.generate("after")["id"])
        assert readable(service, api) == set(made)
        service.process.kill()
    with running(data) as service:
        assert readable(service, Api(service, "alice")) == set(made)
