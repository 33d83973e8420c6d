"""The family tree, against every shape that records can have: gone, deleted, foreign, branching, too large."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagetrail import lineage
from imagetrail.answers import Lineage
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.dynamo import Page
from imagetrail.errors import NotFound
from imagetrail.history import History
from imagetrail.records import index_keys

if TYPE_CHECKING:
    from imagetrail.dynamo import Expression, Item

ALICE, BOB, ADMIN = Caller("alice"), Caller("bob"), Caller("root", is_admin=True)


def name(number: int) -> str:
    return f"019b2f6e-7c1a-7d32-9a55-{number:012d}"


def record(number: int, parent: int | None = None, owner: Caller = ALICE, **columns: Any) -> Item:
    made = {
        "id": name(number),
        "parent_id": None if parent is None else name(parent),
        "user_id": owner.user_id,
        "prompt": "a fox",
        "full_prompt": "a fox",
        "created_at": f"2026-02-02T10:{number // 60:02}:{number % 60:02}.000000Z",
        "status": "succeeded",
        **columns,
    }
    return {key: value for key, value in (made | index_keys(made)).items() if value is not None}


class Table:
    """Records by id, and by their parent's."""

    def __init__(self, *records: Item) -> None:
        self.records = {item["id"]: item for item in records}
        self.calls = 0

    def get(self, _table: str, key: str, *, consistent: bool = False) -> Item | None:
        self.calls += not consistent
        return self.records.get(key)

    def query(self, _table: str, index: str, key: Expression, *, newest_first: bool, limit: int) -> Page:
        assert (index, newest_first) == (lineage.INDEX, False)
        self.calls += 1
        same = [item for item in self.records.values() if item.get("parent_id") == key.values["parent_id"]]
        found = sorted(same, key=lambda item: str(item["created_at"]))
        return Page(found[:limit], len(found), len(found), found[limit - 1] if len(found) > limit else None)


def family(table: Table, caller: Caller, number: int) -> dict[str, Any]:
    history = History(cast("Any", table), "images", cast("Any", None), "unowned")
    with ThreadPoolExecutor(2) as threads:
        tree = lineage.Family(history=history, dynamo=cast("Any", table), table="images", executor=threads)
        found = tree.of(caller, name(number), "https://pictures.example")
    Lineage.model_validate(found)
    return found


def shape(nodes: list[dict[str, Any]]) -> dict[int, Any]:
    """The tree as numbers."""
    return {int(node["id"][-12:]): shape(node["children"]) for node in nodes}


@pytest.mark.parametrize("number", range(1, 6))
def test_every_member_sees_the_whole_family(number: int) -> None:
    table = Table(record(1), record(2, 1), record(3, 1), record(4, 2), record(5, 4), record(6))
    found = family(table, ALICE, number)
    assert shape(found["roots"]) == {1: {2: {4: {5: {}}}, 3: {}}}
    assert (found["image_id"], found["count"], found["truncated"]) == (name(number), 5, False)


def test_a_node_says_what_was_asked_for_otherwise() -> None:
    table = Table(record(1, seed=1), record(2, 1, seed=1, style="oil", image_url="/images/2.png"))
    (root,) = family(table, ALICE, 1)["roots"]
    (child,) = root["children"]
    assert (root["changed"], child["changed"]) == ([], ["style"])
    assert child["image_url"] == "https://pictures.example/images/2.png"
    assert child["parent_id"] == root["id"]


def test_what_is_deleted_foreign_or_gone_is_left_out_and_leads_on() -> None:
    gone, table = (
        record(1),
        Table(record(2, 1), record(3, 2, deleted_at="2026"), record(4, 3), record(5, 1), record(6, 4)),
    )
    assert gone["id"] not in table.records
    assert shape(family(table, ALICE, 4)["roots"]) == {2: {4: {6: {}}}, 5: {}}
    table.records[name(4)] |= record(4, 3, BOB)
    assert shape(family(table, ALICE, 6)["roots"]) == {2: {6: {}}, 5: {}}
    assert shape(family(table, BOB, 4)["roots"]) == {4: {}}
    assert shape(family(table, ADMIN, 4)["roots"]) == {2: {4: {6: {}}}, 5: {}}


def test_a_deleted_image_sees_its_own_family() -> None:
    table = Table(record(1), record(2, 1, deleted_at="2026"), record(3, 1))
    assert shape(family(table, ALICE, 2)["roots"]) == {1: {2: {}, 3: {}}}
    assert shape(family(table, ALICE, 3)["roots"]) == {1: {3: {}}}


def test_a_hidden_parent_tells_nothing() -> None:
    table = Table(record(1, owner=BOB, style="oil"), record(2, 1, ALICE))
    (root,) = family(table, ALICE, 2)["roots"]
    assert root["changed"] == []
    with pytest.raises(NotFound):
        family(table, ALICE, 1)
    with pytest.raises(NotFound):
        family(table, ANONYMOUS, 2)


def test_a_large_family_is_cut_and_says_so() -> None:
    wide = Table(record(0), *(record(number, 0) for number in range(1, 2 * lineage.MAX_IMAGES)))
    found = family(wide, ALICE, 2 * lineage.MAX_IMAGES - 1)
    assert found["truncated"]
    assert found["count"] == lineage.MAX_IMAGES
    assert 2 * lineage.MAX_IMAGES - 1 in shape(found["roots"])[0]
    assert wide.calls <= lineage.MAX_IMAGES
    long = Table(record(0), *(record(number, number - 1) for number in range(1, 150)))
    for number in (0, 29, 30, 31, 75, 149):
        found = family(long, ALICE, number)
        assert found["truncated"]
        (top,) = shape(found["roots"])
        assert top == max(number - lineage.MAX_ANCESTORS, 0)


def test_a_circle_ends() -> None:
    table = Table(record(1, 3), record(2, 1), record(3, 2))
    found = family(table, ALICE, 1)
    assert found["count"] <= 3
    assert found["truncated"]


@settings(max_examples=150)
@given(st.data())
def test_nobody_sees_more_or_less_than_they_may(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    parents = [None if n == 0 else data.draw(st.none() | st.integers(0, n - 1)) for n in range(size)]
    owners = [data.draw(st.sampled_from([ALICE, BOB, ANONYMOUS])) for _ in range(size)]
    deleted = [data.draw(st.booleans()) for _ in range(size)]
    gone = [data.draw(st.integers(0, 4)) == 0 for _ in range(size)]
    records = {
        n: record(n, parents[n], owners[n], deleted_at="2026" if deleted[n] else None)
        for n in range(size)
        if not gone[n]
    }
    caller = data.draw(st.sampled_from([ALICE, BOB, ANONYMOUS, ADMIN]))
    asked = data.draw(st.integers(0, size - 1))
    allowed = {n for n in records if caller.is_admin or owners[n] == caller}
    table = Table(*records.values())
    if asked not in allowed:
        with pytest.raises(NotFound):
            family(table, caller, asked)
        return

    def up(n: int) -> int:
        """The eldest that leads here: what is gone leads no further."""
        parent = parents[n]
        return n if n not in records or parent is None else up(parent)

    def above(n: int) -> int | None:
        parent = parents[n]
        if parent is None or parent in visible:
            return parent
        return above(parent) if parent in records else None

    visible = {n for n in allowed if up(n) == up(asked) and (n == asked or not deleted[n])}
    found = family(table, caller, asked)
    seen: dict[int, int | None] = {}

    def walk(nodes: dict[int, Any], parent: int | None) -> None:
        for n, children in nodes.items():
            assert n not in seen
            seen[n] = parent
            walk(children, n)

    walk(shape(found["roots"]), None)
    assert seen == {n: above(n) for n in visible}
    assert not found["truncated"]
