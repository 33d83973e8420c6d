"""Favourites on real tables: what a caller marks is listed from an index of its own, and no change loses another."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.dynamo import Expression
from imagetrail.errors import Conflict, Forbidden, InvalidCursor, NotFound
from imagetrail.history import HistoryQuery
from imagetrail.records import index_keys
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Fault, Proxy, proxy_to
from tests.integration.made import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Stack

ADMIN = Caller("root", is_admin=True)
START = datetime(2037, 5, 1, tzinfo=UTC)


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    given = stack.environment("ListImages")
    with proxy_to(stack.endpoint, {given["IMAGES_TABLE"]: "images"}) as proxy:
        yield proxy


@pytest.fixture
def deployment(stack: Stack, proxy: Proxy) -> Iterator[Deployment]:
    environment = {**stack.environment("ListImages"), "AWS_ENDPOINT_URL": proxy.url}
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def favorites(deployment: Deployment, caller: Caller, **filters: Any) -> list[str]:
    """All ids, page after page."""
    ids: list[str] = []
    cursor = None
    while True:
        page = deployment.history.page(caller, HistoryQuery(favorite=True, cursor=cursor, **filters), "")
        assert all(image["favorite"] for image in page["images"])
        ids += [image["id"] for image in page["images"]]
        if (cursor := page["next_cursor"]) is None:
            return ids


def current(deployment: Deployment, record: dict[str, Any]) -> dict[str, Any]:
    found = deployment.dynamo.get(deployment.settings.images_table, record["id"], consistent=True)
    assert found is not None
    return found


def test_a_mark_is_set_and_taken_back(deployment: Deployment, caller: Caller) -> None:
    record, other = made(deployment, caller), made(deployment, caller)
    for _ in range(2):
        assert deployment.images.mark(caller, record["id"], favorite=True)["favorite"] is True
        assert favorites(deployment, caller) == [record["id"]]
    for _ in range(2):
        assert "favorite" not in deployment.images.mark(caller, record["id"], favorite=False)
        assert favorites(deployment, caller) == []
    for one in (record, other):
        assert current(deployment, one) == {name: value for name, value in one.items() if value is not None}


def test_every_filter_goes_with_it(deployment: Deployment, caller: Caller) -> None:
    dataset = str(uuid4())
    records = [
        made(deployment, caller, START + timedelta(days=n), dataset_id=dataset if n % 2 else None) for n in range(8)
    ]
    for record in records[:6]:
        deployment.images.mark(caller, record["id"], favorite=True)
    made(deployment, Caller("somebody else"), START, dataset_id=dataset, favorite=True)
    ids = [record["id"] for record in records]
    for limit in (1, 2, 50):
        assert favorites(deployment, caller, limit=limit) == ids[5::-1]
        assert favorites(deployment, caller, limit=limit, order="asc") == ids[:6]
        assert favorites(deployment, caller, limit=limit, dataset_id=dataset) == [ids[5], ids[3], ids[1]]
        window: dict[str, Any] = {"from_": START + timedelta(days=1), "to": START + timedelta(days=4)}
        assert favorites(deployment, caller, limit=limit, **window) == ids[3:0:-1]
        assert favorites(deployment, caller, limit=limit, dataset_id=dataset, **window) == [ids[3], ids[1]]
        assert favorites(deployment, caller, limit=limit, status="all") == ids[5::-1]
    for status in ("failed", "pending", "blocked", "deleted"):
        assert favorites(deployment, caller, status=status) == favorites(deployment, ADMIN, status=status) == []
    page = deployment.history.page(caller, HistoryQuery(favorite=True, offset=4, limit=1), "")
    assert [image["id"] for image in page["images"]] == [ids[1]]
    with pytest.raises(InvalidCursor):
        deployment.history.page(caller, HistoryQuery(cursor=page["next_cursor"]), "")
    assert favorites(deployment, ADMIN, dataset_id=dataset, from_=START + timedelta(hours=1)) == [
        ids[5],
        ids[3],
        ids[1],
    ]


def test_what_a_page_of_few_favorites_among_many_costs(deployment: Deployment, proxy: Proxy, caller: Caller) -> None:
    records = [made(deployment, caller, START + timedelta(seconds=n)) for n in range(60)]
    for record in (records[0], records[59]):
        deployment.images.mark(caller, record["id"], favorite=True)
    proxy.seen.clear()
    assert favorites(deployment, caller, limit=2) == [records[59]["id"], records[0]["id"]]
    assert proxy.seen == ["Query images"]


def test_in_the_trash_it_keeps_its_mark(deployment: Deployment, caller: Caller) -> None:
    record, other = made(deployment, caller), made(deployment, caller)
    deployment.images.mark(caller, record["id"], favorite=True)
    for one in (record, other):
        deployment.trash.throw(caller, one["id"])
    assert favorites(deployment, caller) == favorites(deployment, caller, status="all") == []
    deployment.images.mark(caller, other["id"], favorite=True)
    assert favorites(deployment, caller) == []
    for one in (record, other):
        deployment.trash.restore(caller, one["id"])
    assert favorites(deployment, caller) == [other["id"], record["id"]]


@pytest.mark.parametrize("status", ["pending", "failed", "blocked"])
def test_what_holds_no_image_is_no_favorite(deployment: Deployment, caller: Caller, status: str) -> None:
    record = made(deployment, caller, status=status, error="x", settle_by="9999")
    with pytest.raises(Conflict):
        deployment.images.mark(caller, record["id"], favorite=True)
    assert deployment.images.mark(caller, record["id"], favorite=False)["id"] == record["id"]


def test_who_may_mark_what(deployment: Deployment, caller: Caller) -> None:
    hers, nobodys = made(deployment, caller), made(deployment, ANONYMOUS)
    for stranger, record in ((Caller("x"), hers), (caller, nobodys), (ANONYMOUS, hers)):
        with pytest.raises(NotFound):
            deployment.images.mark(stranger, record["id"], favorite=True)
    assert deployment.images.mark(ANONYMOUS, nobodys["id"], favorite=True)["favorite"]
    assert deployment.images.mark(ADMIN, hers["id"], favorite=True)["favorite"]
    assert favorites(deployment, caller) == [hers["id"]]


def test_seeing_all_without_a_token_is_not_changing_all(stack: Stack, deployment: Deployment, caller: Caller) -> None:
    record = made(deployment, caller)
    environment = {**stack.environment("ListImages"), "ANONYMOUS_HISTORY": "all"}
    with closing(Deployment(Settings.from_environment(environment))) as open_to_all:
        assert open_to_all.history.get(ANONYMOUS, record["id"], "")["user_id"] == caller.user_id
        with pytest.raises(Forbidden):
            open_to_all.images.mark(ANONYMOUS, record["id"], favorite=True)
        with pytest.raises(Forbidden):
            open_to_all.trash.throw(ANONYMOUS, record["id"])


@pytest.mark.parametrize("kind", ["throttle", "error", "cut before", "cut after"])
def test_an_answer_that_is_lost_is_no_harm(deployment: Deployment, proxy: Proxy, caller: Caller, kind: Any) -> None:
    record = made(deployment, caller)
    proxy.inject(Fault("UpdateItem images", kind, times=2))
    assert deployment.images.mark(caller, record["id"], favorite=True)["favorite"]
    assert favorites(deployment, caller) == [record["id"]]


def test_many_changes_at_once_are_one_after_the_other(deployment: Deployment, caller: Caller) -> None:
    record = made(deployment, caller, dataset_id=str(uuid4()))
    choose = random.Random(5)  # noqa: S311
    changes = [choose.randrange(4) for _ in range(48)]

    def change(number: int) -> None:
        match number:
            case 0 | 1:
                deployment.images.mark(caller, record["id"], favorite=bool(number))
            case 2:
                deployment.trash.throw(caller, record["id"])
            case _:
                deployment.trash.restore(caller, record["id"])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(change, changes))
    found = current(deployment, record)
    keys = {name: place for name, place in index_keys(found).items() if place is not None}
    assert keys == {name: found[name] for name in index_keys(found) if name in found}


def test_a_change_between_reading_and_writing_is_not_lost(
    stack: Stack, deployment: Deployment, proxy: Proxy, caller: Caller
) -> None:
    """The dataset goes while the image is being marked: the mark must not bring its shelf back."""
    record = made(deployment, caller, dataset_id=str(uuid4()))
    with closing(Deployment(Settings.from_environment(stack.environment("ListImages")))) as faster:

        def forget_dataset() -> None:
            gone = Expression("REMOVE #dataset_id, #dataset_shelf")
            faster.dynamo.update(faster.settings.images_table, record["id"], gone)

        proxy.inject(Fault("UpdateItem images", "cut before", times=1, then=forget_dataset))
        deployment.images.mark(caller, record["id"], favorite=True)
    assert not {"dataset_id", "dataset_shelf", "dataset_favorite_shelf"} & set(current(deployment, record))
    assert favorites(deployment, caller) == [record["id"]]
