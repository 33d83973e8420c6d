"""Searches walked page by page through random histories: nothing that stays visible is lost, repeated or out of order.

A search is walked by several processes in turn, whose index may be seconds old, while records are created, deleted,
restored, marked, purged and indexed. `SEARCH_WALKS=2000` runs as many random histories instead of a few fixed ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from imagetrail import moments
from imagetrail.callers import Caller
from imagetrail.search import matching
from imagetrail.search.language import parse
from imagetrail.search.searching import SearchQuery
from tests.unit.search_world import World, place

if TYPE_CHECKING:
    from tests.unit.search_world import Record

COFFEE, TEA = "019c1f00-0000-7000-8000-00000000c0ff", "019c1f00-0000-7000-8000-0000000007ea"
ALICE, BOB, ADMIN = Caller("alice"), Caller("bob"), Caller("root", is_admin=True)
PROMPTS = (
    *(
        "a red fox",
        "a red fox",
        "fox, red",
        "red foxes at dawn over a lake",
        "r\u00aded fox",
        "赤い狐 fox red",
        "a wolf",
    ),
    *("fox " * 9 + "red", "a lake " * 20 + "red fox", "word " * 70 + "fox and red"),
)
QUERIES = ("fox", "red fox", "a fox OR wolf", '"red fox"', "fo*", "-wolf", "fox dataset:coffee", "狐 fox", "fo\u200bx")
_LONG = int(os.environ.get("SEARCH_WALKS", "0"))


@dataclass
class Walked:
    """A search under way: `visible` has matched at every moment since it began."""

    caller: Caller
    query: SearchQuery
    visible: set[str]
    seen: list[tuple[float, int, str]] = field(default_factory=list)


class Histories(RuleBasedStateMachine):
    """The model is the table itself: a record is visible while it is listed and its prompt matches."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)
        self.world.datasets |= {COFFEE: "Coffee & Co", TEA: "Tea"}
        self.walks: list[Walked] = []
        self.late: set[str] = set()
        self.scores: dict[tuple[str, str], float] = {}

    def teardown(self) -> None:
        for walk in list(self.walks):
            self.finish(walk)
        self.world.close()
        shutil.rmtree(self.folder)

    @initialize(count=st.integers(0, 12), chance=st.randoms(use_true_random=False))
    def begin(self, count: int, chance: Any) -> None:
        for number in range(count):
            created = self.world.now - timedelta(days=chance.randrange(3))
            dataset_id = chance.choice([None, COFFEE])
            prompt = PROMPTS[number % len(PROMPTS)]
            self.world.create(chance.choice([ALICE, BOB]), prompt, created, dataset_id=dataset_id)
        self.world.index()

    @rule(
        caller=st.sampled_from([ALICE, BOB]),
        prompts=st.lists(st.sampled_from(PROMPTS), min_size=1, max_size=4),
        dataset_id=st.sampled_from([None, COFFEE, TEA]),
        pending=st.booleans(),
    )
    def create(self, caller: Caller, prompts: list[str], dataset_id: str | None, pending: bool) -> None:
        known = dataset_id if dataset_id in self.world.datasets else None
        for prompt in prompts:
            status = "pending" if pending else "succeeded"
            self.world.create(caller, prompt, dataset_id=known, status=status)
            self.world.tick(0.0 if len(prompts) > 2 else 0.001)

    @rule()
    def settle(self) -> None:
        for record in list(self.world.records.values()):
            if record["status"] == "pending":
                self.world.change(record["id"], status="succeeded")

    @rule(data=st.data(), action=st.sampled_from(["delete", "restore", "favorite", "unfavorite"]))
    def change(self, data: st.DataObject, action: str) -> None:
        """One record, or a batch of them."""
        finished = [record["id"] for record in self.world.records.values() if record["status"] != "pending"]
        if not finished:
            return
        for image_id in data.draw(st.lists(st.sampled_from(finished), min_size=1, max_size=5, unique=True)):
            record = self.world.records[image_id]
            match action:
                case "delete" if "deleted_at" not in record:
                    self.world.change(image_id, deleted_at=moments.to_text(self.world.now))
                case "restore" if "deleted_at" in record:
                    if record["deleted_at"] < moments.to_text(self.world.now - timedelta(hours=1)):
                        self.late.add(image_id)
                    self.world.change(image_id, deleted_at=None)
                case "favorite" | "unfavorite" if "deleted_at" not in record:
                    self.world.change(image_id, favorite=action == "favorite" or None)
            self.world.tick(0.3)

    @rule(data=st.data())
    def purge(self, data: st.DataObject) -> None:
        trashed = [record["id"] for record in self.world.records.values() if "deleted_at" in record]
        if trashed:
            image_id = data.draw(st.sampled_from(trashed))
            del self.world.records[image_id]
            self.world.changed.append(image_id)

    @rule(dataset_id=st.sampled_from([COFFEE, TEA]))
    def delete_dataset(self, dataset_id: str) -> None:
        self.world.datasets.pop(dataset_id, None)
        for record in list(self.world.records.values()):
            if record.get("dataset_id") == dataset_id:
                self.world.change(record["id"], dataset_id=None)

    @rule(count=st.integers(1, 4))
    @precondition(lambda self: self.world.changed)
    def index_some(self, count: int) -> None:
        self.world.index(count)
        self.late &= set(self.world.changed)

    @rule(rebuilt=st.sampled_from([False, False, True]), hours=st.sampled_from([0, 0, 3, 30]))
    def wait(self, rebuilt: bool, hours: int) -> None:
        """The index catches up."""
        self.settle()
        if rebuilt:
            self.world.rebuild()
        self.world.index()
        self.late.clear()
        self.world.tick(hours * 3600 + 2.5)

    @rule(
        caller=st.sampled_from([ALICE, ALICE, BOB, ADMIN]),
        q=st.sampled_from(QUERIES),
        limit=st.sampled_from([1, 2, 3, 10]),
        dataset_id=st.sampled_from([None, None, COFFEE]),
    )
    @precondition(lambda self: len(self.walks) < 12)
    def search(self, caller: Caller, q: str, limit: int, dataset_id: str | None) -> None:
        self.world.tick(0.001)
        plain = SearchQuery(q=q, limit=limit, dataset_id=dataset_id)
        for query in (plain, replace(plain, sort="time"), replace(plain, favorite=True)):
            visible = {record["id"] for record in self.world.records.values() if self.shows(record, caller, query)}
            walk = Walked(caller, query, visible)
            self.walks.append(walk)
            self.turn(walk, 0)

    @rule(data=st.data(), process=st.integers(0, 1))
    @precondition(lambda self: self.walks)
    def next_page(self, data: st.DataObject, process: int) -> None:
        self.turn(data.draw(st.sampled_from(self.walks)), process)

    @invariant()
    def narrow(self) -> None:
        """What is not visible at this moment was not so all the time."""
        for walk in self.walks:
            walk.visible = {
                image_id
                for image_id in walk.visible - self.late
                if image_id in self.world.records and self.shows(self.world.records[image_id], walk.caller, walk.query)
            }

    def finish(self, walk: Walked) -> None:
        while walk in self.walks:
            self.turn(walk, 0)

    def turn(self, walk: Walked, process: int) -> None:
        self.narrow()
        page = self.world.search(process, walk.caller, walk.query)
        assert len(page["images"]) <= walk.query.limit
        for image in page["images"]:
            record = self.world.records[image["id"]]
            assert self.shows(record, walk.caller, walk.query)
            if image["score"] is not None:
                known = self.scores.setdefault((walk.query.q, record["prompt"]), image["score"])
                assert image["score"] == known, "equal prompts rank equally at every moment"
            key = (image["score"] or 0.0, *place(record))
            assert not walk.seen or key < walk.seen[-1], "lost order, or the same record twice"
            walk.seen.append(key)
        if page["next_cursor"] is None:
            assert walk.visible <= {image_id for _, _, image_id in walk.seen}, "lost"
            self.walks.remove(walk)
        walk.query = replace(walk.query, cursor=page["next_cursor"])

    def shows(self, record: Record, caller: Caller, query: SearchQuery) -> bool:
        names = {"coffee": [COFFEE]} if COFFEE in self.world.datasets else {}
        known = parse(query.q).with_datasets(lambda text: names.get(text, []))
        return self.world.is_listed(
            record, caller, query.status, query.dataset_id, favorite=query.favorite
        ) and matching.matches(known, matching.Document(record))


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=_LONG or 20,
    stateful_step_count=40,
    derandomize=not _LONG,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
