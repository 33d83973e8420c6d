"""Whatever callers do to images and datasets, in any order, each sees exactly what a plain model of it says."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from imagetrail.callers import Caller
from imagetrail.errors import AccountErased, Invalid, NotFound
from imagetrail.history import HistoryQuery
from imagetrail.records import image_key, thumbnail_key
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.test_erasure import ADMIN, generate, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Stack

BRAND = {"name": "Coffee Co", "vibe": "cozy", "unique_visual_elements": ["wooden tables"], "visibility": "public"}
PEOPLE = st.integers(0, 1)
CHOICE = st.integers(0, 1_000)


@dataclass
class Known:
    """An image as the model has it."""

    record: dict[str, Any]
    owner: int
    dataset_id: str | None
    is_favorite: bool = False
    is_trashed: bool = False


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    given = stack.environment("GenerateImage") | {"RUN_JOBS_FUNCTION": "nobody"}
    with closing(Deployment(Settings.from_environment(given))) as deployment:
        yield deployment


class Life(RuleBasedStateMachine):
    """Two people, and what they make of it."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__()
        self.deployment = deployment
        self.people = [Caller(f"user-{uuid4()}") for _ in range(2)]
        self.gone: set[int] = set()
        self.images: list[Known] = []
        self.datasets: dict[str, int] = {}

    @rule(who=PEOPLE)
    def create_dataset(self, who: int) -> None:
        if who in self.gone:
            with pytest.raises(AccountErased):
                self.deployment.datasets.create(self.people[who], BRAND)
            return
        self.datasets[self.deployment.datasets.create(self.people[who], BRAND)["id"]] = who

    @rule(who=PEOPLE, which=CHOICE)
    def generate(self, who: int, which: int) -> None:
        dataset_id = [None, *self.datasets][which % (len(self.datasets) + 1)]
        if who in self.gone:
            with pytest.raises(AccountErased):
                generate(self.deployment, self.people[who], dataset_id)
            return
        record = generate(self.deployment, self.people[who], dataset_id)
        self.images.append(Known(record, who, dataset_id))

    @precondition(lambda self: self.images)
    @rule(who=PEOPLE, which=CHOICE, favorite=st.booleans())
    def mark(self, who: int, which: int, favorite: bool) -> None:
        known = self.images[which % len(self.images)]
        if self.may(who, known):
            self.deployment.images.mark(self.people[who], known.record["id"], favorite=favorite)
            known.is_favorite = favorite

    @precondition(lambda self: self.images)
    @rule(who=PEOPLE, which=CHOICE)
    def throw(self, who: int, which: int) -> None:
        known = self.images[which % len(self.images)]
        if self.may(who, known):
            self.deployment.trash.throw(self.people[who], known.record["id"])
            known.is_trashed = True

    @precondition(lambda self: any(known.is_trashed for known in self.images))
    @rule(which=CHOICE)
    def restore(self, which: int) -> None:
        trashed = [known for known in self.images if known.is_trashed]
        known = trashed[which % len(trashed)]
        self.deployment.trash.restore(self.people[known.owner], known.record["id"])
        known.is_trashed = False

    @precondition(lambda self: self.datasets)
    @rule(which=CHOICE)
    def delete_dataset(self, which: int) -> None:
        dataset_id, who = list(self.datasets.items())[which % len(self.datasets)]
        job = self.deployment.erasing.dataset(self.people[who], dataset_id)
        assert run(self.deployment, job)["status"] == "succeeded"
        self.forget({dataset_id})

    @precondition(lambda self: len(self.gone) < 2 and len(self.images) > 3)
    @rule(who=PEOPLE)
    def erase(self, who: int) -> None:
        job = self.deployment.erasing.me(self.people[who])
        assert run(self.deployment, job)["status"] == "succeeded"
        self.gone.add(who)
        self.forget({dataset_id for dataset_id, owner in self.datasets.items() if owner == who})
        for known in [known for known in self.images if known.owner == who]:
            self.images.remove(known)
            assert self.deployment.bucket.get(image_key(known.record)) is None
            with pytest.raises(NotFound):
                self.deployment.history.get(ADMIN, known.record["id"], "")

    @invariant()
    def each_sees_what_is_theirs(self) -> None:
        for who, caller in enumerate(self.people):
            own = [known for known in self.images if known.owner == who]
            kept = [known for known in own if not known.is_trashed]
            assert self.listed(caller) == ids(kept)
            assert self.listed(caller, status="all") == ids(kept)
            assert self.listed(caller, status="deleted") == ids(known for known in own if known.is_trashed)
            assert self.listed(caller, favorite=True) == ids(known for known in kept if known.is_favorite)
            for dataset_id in self.datasets:
                with_it = [known for known in kept if known.dataset_id == dataset_id]
                assert self.listed(caller, dataset_id=dataset_id) == ids(with_it)

    @invariant()
    def every_record_tells_what_became_of_it(self) -> None:
        for known in self.images:
            image_id = known.record["id"]
            record = self.deployment.history.get(self.people[known.owner], image_id, "")
            assert record["dataset_id"] == known.dataset_id
            assert record["favorite"] is known.is_favorite
            assert (record["deleted_at"] is not None) is known.is_trashed
            frozen = ("full_prompt", "unique_visual_elements", "dataset_version", "sha256")
            assert [record[name] for name in frozen] == [known.record.get(name) for name in frozen]
            with pytest.raises(NotFound):
                self.deployment.history.get(self.people[1 - known.owner], image_id, "")
            for key in (image_key(record), thumbnail_key(record)):
                assert (self.deployment.bucket.get(key) is None) is known.is_trashed

    def may(self, who: int, known: Known) -> bool:
        """Whether this is theirs to change; if not, that it is as if it were not there."""
        if who == known.owner:
            return True
        with pytest.raises(NotFound):
            self.deployment.images.mark(self.people[who], known.record["id"], favorite=True)
        with pytest.raises(NotFound):
            self.deployment.trash.throw(self.people[who], known.record["id"])
        return False

    def forget(self, datasets: set[str]) -> None:
        """What the model says of deleted datasets: the images stay, without them."""
        for dataset_id in datasets:
            del self.datasets[dataset_id]
            with pytest.raises(Invalid):
                generate(self.deployment, Caller(f"user-{uuid4()}"), dataset_id)
        for known in self.images:
            if known.dataset_id in datasets:
                known.dataset_id = None

    def listed(self, caller: Caller, **wanted: Any) -> list[str]:
        """All ids, in pages of two."""
        found: list[str] = []
        query = HistoryQuery(limit=2, **wanted)
        while True:
            page = self.deployment.history.page(caller, query, "")
            found += [image["id"] for image in page["images"]]
            if page["next_cursor"] is None:
                return found
            query = replace(query, cursor=page["next_cursor"])


def ids(known: Any) -> list[str]:
    """Newest first."""
    return [one.record["id"] for one in known][::-1]


def test_callers_see_what_the_model_says(deployment: Deployment) -> None:
    class Here(Life):
        def __init__(self) -> None:
            super().__init__(deployment)

    plan = settings(
        max_examples=6,
        stateful_step_count=25,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=plan)
