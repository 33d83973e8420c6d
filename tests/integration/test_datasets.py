"""Datasets against a real table: who may see and change them, their versions, and what a generation takes of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.dynamo import Dynamo
from imagetrail.errors import Conflict, Forbidden, Invalid, InvalidCursor, NotFound
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Stack

BRAND = {"name": "Coffee Co", "brand": "Coffee Co", "vibe": "cozy", "unique_visual_elements": ["wooden tables"]}
ADMIN = Caller("root", is_admin=True)


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    with closing(Deployment(Settings.from_environment(stack.environment("GenerateImage")))) as deployment:
        yield deployment


@pytest.fixture
def alice() -> Caller:
    return Caller(f"alice-{uuid4()}")


@pytest.fixture
def bob() -> Caller:
    return Caller(f"bob-{uuid4()}")


def test_a_dataset_is_its_owners_alone_unless_it_is_public(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    datasets = deployment.datasets
    private = datasets.create(alice, BRAND)
    assert (private["visibility"], private["version"], private["user_id"]) == ("private", 1, alice.user_id)
    assert datasets.get(alice, private["id"]) == private
    assert datasets.get(ADMIN, private["id"]) == private
    for stranger in (bob, ANONYMOUS):
        with pytest.raises(NotFound):
            datasets.get(stranger, private["id"])
        with pytest.raises(NotFound):
            datasets.update(stranger, private["id"], {"vibe": "loud"})
    datasets.update(alice, private["id"], {"visibility": "public"})
    assert datasets.get(bob, private["id"])["name"] == "Coffee Co"
    for stranger in (bob, ANONYMOUS):
        with pytest.raises(Forbidden):
            datasets.update(stranger, private["id"], {"vibe": "loud"})


def test_a_dataset_created_anonymously_is_public(deployment: Deployment, alice: Caller) -> None:
    dataset = deployment.datasets.create(ANONYMOUS, BRAND)
    assert (dataset["visibility"], dataset["user_id"]) == ("public", None)
    assert deployment.datasets.get(alice, dataset["id"]) == dataset
    for caller in (ANONYMOUS, alice):
        with pytest.raises(Forbidden):
            deployment.datasets.update(caller, dataset["id"], {"vibe": "loud"})
    assert deployment.datasets.update(ADMIN, dataset["id"], {"vibe": "loud"})["version"] == 2
    with pytest.raises(Invalid):
        deployment.datasets.create(ANONYMOUS, {**BRAND, "visibility": "private"})
    with pytest.raises(Invalid):
        deployment.datasets.update(ADMIN, dataset["id"], {"visibility": "private"})


def test_a_version_grows_with_every_change_and_only_then(deployment: Deployment, alice: Caller) -> None:
    dataset = deployment.datasets.create(alice, BRAND)
    changed = deployment.datasets.update(alice, dataset["id"], {"vibe": "warm", "brand": None})
    assert (changed["version"], changed["vibe"], changed["brand"]) == (2, "warm", None)
    assert changed["updated_at"] > changed["created_at"] == dataset["created_at"]
    assert deployment.datasets.update(alice, dataset["id"], {"vibe": "warm"}) == changed


def test_of_two_changes_at_once_one_is_told(deployment: Deployment, alice: Caller) -> None:
    dataset = deployment.datasets.create(alice, BRAND)

    class Interrupted(Dynamo):
        def update(self, table: str, key: Any, change: Any, condition: Any = None) -> Any:
            deployment.datasets.update(alice, dataset["id"], {"vibe": "theirs"})
            return deployment.dynamo.update(table, key, change, condition)

    mine = replace(deployment.datasets, dynamo=Interrupted(deployment.dynamo._endpoint))
    with pytest.raises(Conflict):
        mine.update(alice, dataset["id"], {"vibe": "mine"})
    assert deployment.datasets.get(alice, dataset["id"])["vibe"] == "theirs"


def test_pages(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    ids = [deployment.datasets.create(alice, {**BRAND, "name": f"{n}"})["id"] for n in range(5)]
    walked: list[str] = []
    cursor = None
    while True:
        page = deployment.datasets.page(alice, limit=2, cursor=cursor)
        walked += [dataset["id"] for dataset in page["datasets"]]
        if (cursor := page["next_cursor"]) is None:
            break
        with pytest.raises(InvalidCursor):
            deployment.datasets.page(bob, limit=2, cursor=cursor)
    assert walked == ids[::-1]
    assert deployment.datasets.page(bob)["datasets"] == []
    deployment.datasets.update(alice, ids[0], {"visibility": "public"})
    assert ids[0] in [d["id"] for d in deployment.datasets.page(bob, visibility="public", limit=200)["datasets"]]
    assert ids[0] not in [d["id"] for d in deployment.datasets.page(alice, visibility="private")["datasets"]]


def test_a_generation_freezes_what_the_dataset_said(deployment: Deployment, alice: Caller, bob: Caller) -> None:
    dataset = deployment.datasets.create(alice, BRAND)
    request = GenerateRequest(prompt="A shop", dataset_id=dataset["id"], style="ink")
    record, _ = deployment.generation.generate(alice, request, timedelta(seconds=10))
    deployment.datasets.update(alice, dataset["id"], {"unique_visual_elements": ["neon"]})
    kept = deployment.history.get(alice, record["id"], "")
    assert kept["full_prompt"] == ("Brand: Coffee Co. Vibe: cozy. UNIQUE ELEMENTS: wooden tables. A shop. Style: ink.")
    assert (kept["dataset_version"], kept["unique_visual_elements"]) == (1, ["wooden tables"])
    with pytest.raises(Invalid) as refused:
        deployment.generation.generate(bob, request, timedelta(seconds=10))
    assert refused.value.errors[0][0] == "dataset_id"


def test_a_change_whose_answer_was_lost_is_no_conflict(deployment: Deployment, alice: Caller) -> None:
    dataset = deployment.datasets.create(alice, BRAND)

    class Repeated(Dynamo):
        def update(self, table: str, key: Any, change: Any, condition: Any = None) -> Any:
            deployment.dynamo.update(table, key, change, condition)
            return deployment.dynamo.update(table, key, change, condition)

    mine = replace(deployment.datasets, dynamo=Repeated(deployment.dynamo._endpoint))
    assert mine.update(alice, dataset["id"], {"vibe": "mine"})["version"] == 2
