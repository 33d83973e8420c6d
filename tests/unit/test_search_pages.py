"""Pages of a search: what happens between two of them, their order, and what ends one early."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from imagetrail import cursors, moments
from imagetrail.callers import Caller
from imagetrail.errors import InvalidCursor, Unavailable
from imagetrail.search.searching import SearchQuery
from tests.unit.search_world import START, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ALICE = Caller("alice")
DATASET = "019c1f00-0000-7000-8000-00000000c0ff"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as made:
        yield made


def pages(world: World, query: SearchQuery, between: Callable[[list[str]], object] = lambda _: None) -> list[str]:
    """The ids of all pages; `between` is called with those that were shown so far."""
    seen: list[str] = []
    for _ in range(50):
        page = world.search(0, ALICE, query)
        seen += [image["id"] for image in page["images"]]
        if page["next_cursor"] is None:
            return seen
        between(seen)
        query = replace(query, cursor=page["next_cursor"])
    raise AssertionError("the walk does not end")


def leave(world: World, how: str, gone: str) -> None:
    """What may happen between two pages to the last record shown."""
    match how.split()[0]:
        case "trashed":
            world.change(gone, deleted_at=moments.to_text(world.now))
        case "purged":
            del world.records[gone]
            world.changed.append(gone)
        case "unmarked":
            world.change(gone, favorite=None)
        case "moved":
            world.change(gone, dataset_id=None)
        case "rebuilt":
            world.rebuild()
    if how.endswith("indexed"):
        world.index()
    world.tick(3)


LEAVING = ["trashed", "purged", "unmarked", "moved", "rebuilt", "indexed"]
LEAVING += ["trashed, indexed", "purged, indexed", "unmarked, indexed", "moved, indexed"]


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize("sort", ["relevance", "time"])
@pytest.mark.parametrize("indexed", [0, 3, 6])
def test_what_leaves_between_two_pages_takes_no_other_record_with_it(
    world: World, leaving: str, sort: Any, indexed: int
) -> None:
    made = []
    for n in range(6):
        made.append(world.create(ALICE, f"A walrus {n}", favorite=True, dataset_id=DATASET))
        world.tick(1)
    world.index(indexed)
    world.tick(3)
    query = SearchQuery(q="walrus", limit=2, sort=sort, favorite=True, dataset_id=DATASET)
    assert pages(world, query, lambda seen: leave(world, leaving, seen[-1])) == made[::-1]


@pytest.mark.parametrize("indexed", range(7))
def test_of_equal_prompts_the_newest_comes_first_whether_indexed_or_not(world: World, indexed: int) -> None:
    made = []
    for prompt in ("a walrus", "a very quiet walrus of whom no more is known", "a walrus") * 2:
        made.append(world.create(ALICE, prompt))
        world.tick(1)
    world.index(indexed)
    world.tick(3)
    images = world.search(0, ALICE, SearchQuery(q="a walrus"))["images"]
    assert [image["id"] for image in images] == [made[n] for n in (5, 3, 2, 0, 4, 1)]
    assert [image["score"] for image in images] == [1.0] * 4 + [0.4] * 2


def test_what_was_created_in_one_microsecond_is_walked_by_id(world: World) -> None:
    made = [world.create(ALICE, "a walrus", START) for _ in range(20)]
    world.index(13)
    world.tick(3)
    assert pages(world, SearchQuery(q="walrus", limit=3)) == sorted(made, reverse=True)


def test_a_favorite_and_a_restored_image_are_found_at_once(world: World) -> None:
    image_id = world.create(ALICE, "a walrus", START - timedelta(days=30))
    world.change(image_id, deleted_at=moments.to_text(START))
    world.index()
    world.tick(3)
    assert pages(world, SearchQuery(q="walrus")) == []
    world.change(image_id, deleted_at=None, favorite=True)
    assert pages(world, SearchQuery(q="walrus")) == pages(world, SearchQuery(q="walrus", favorite=True)) == [image_id]


def test_a_page_ends_early_where_many_records_are_gone(world: World) -> None:
    made = []
    for _ in range(40):
        made.append(world.create(ALICE, "a walrus"))
        world.tick(1)
    for image_id in made[3:]:
        world.change(image_id, deleted_at=moments.to_text(world.now))
    world.index()
    world.tick(3)
    world.searches[0] = replace(world.searches[0], max_read=10)
    first = world.search(0, ALICE, SearchQuery(q="walrus", limit=2))
    assert (first["images"], first["next_cursor"] is None) == ([], False)
    assert pages(world, SearchQuery(q="walrus", limit=2)) == made[2::-1]
    world.tick(3 * 3600)
    assert world.search(0, ALICE, SearchQuery(q="walrus", limit=2))["count"] == 2, "hours later they are not read"


def test_a_search_that_takes_too_long_is_unavailable(world: World) -> None:
    world.create(ALICE, "a walrus")
    away = threading.Event()

    class Slow(World):
        def get_many(self, _table: str, _ids: list[str]) -> dict[str, Any]:
            away.wait(30)
            return {}

    slow = replace(world.searches[0], dynamo=cast("Any", Slow.__new__(Slow)))
    try:
        with pytest.raises(Unavailable) as caught:
            slow.page(ALICE, SearchQuery(q="walrus"), "", timedelta(milliseconds=50))
        assert caught.value.retry_after == 2
    finally:
        away.set()


def test_a_cursor_of_the_order_by_score_is_refused(world: World) -> None:
    scope = ("search", ALICE.owner, "own", "walrus", "relevance", None, "succeeded", None, None, None)
    old = cursors.seal([1, "", 0, 0, 1, world.create(ALICE, "a walrus")], scope)
    with pytest.raises(InvalidCursor):
        world.search(0, ALICE, SearchQuery(q="walrus", cursor=old))


@pytest.mark.parametrize(
    "values", [[], [1, 2, 3], [1, 99, 1, DATASET], [1, 0, 2**62, DATASET], [1, 0, 1.5, DATASET], ["", 0, 1, DATASET]]
)
def test_a_forged_cursor_is_refused(world: World, values: list[Any]) -> None:
    scope = ("search 2", ALICE.owner, "own", "walrus", "relevance", None, "succeeded", None, None, None)
    with pytest.raises(InvalidCursor):
        world.search(0, ALICE, SearchQuery(q="walrus", cursor=cursors.seal(values, scope)))


def test_an_image_that_lost_its_dataset_is_not_found_by_it_in_a_stale_index(world: World) -> None:
    lost, kept = (world.create(ALICE, "a walrus", dataset_id=DATASET) for _ in range(2))
    world.index()
    world.tick(3600)
    world.change(lost, dataset_id=None)
    assert pages(world, SearchQuery(q=f"walrus dataset:{DATASET}")) == [kept]
