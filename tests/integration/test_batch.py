"""One action on many images, by their ids or by a filter, with each image's own outcome."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.batch import Batch
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.errors import InvalidCursor, Unauthenticated
from imagetrail.history import HistoryQuery
from imagetrail.schemas import BatchRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Fault, Proxy, proxy_to
from tests.integration.made import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Stack

LEFT = timedelta(seconds=27)
START = datetime(2038, 5, 1, tzinfo=UTC)


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    given = stack.environment("ChangeImages")
    with proxy_to(stack.endpoint, {given["IMAGES_TABLE"]: "images"}) as proxy:
        yield proxy


@pytest.fixture
def deployment(stack: Stack, proxy: Proxy) -> Iterator[Deployment]:
    environment = {**stack.environment("ChangeImages"), "AWS_ENDPOINT_URL": proxy.url}
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def wish(action: str, **body: Any) -> BatchRequest:
    return BatchRequest.model_validate({"action": action, **body})


def listed(deployment: Deployment, caller: Caller, **filters: Any) -> list[str]:
    return [image["id"] for image in deployment.history.page(caller, HistoryQuery(**filters), "")["images"]]


def test_each_id_has_its_outcome(deployment: Deployment, caller: Caller) -> None:
    good, marked = made(deployment, caller)["id"], made(deployment, caller, favorite=True)["id"]
    pending = made(deployment, caller, status="pending", settle_by="9999")["id"]
    foreign, missing = made(deployment, Caller("x"))["id"], str(uuid4())
    ids = [good, marked, pending, foreign, missing]
    answer = deployment.batch.run(caller, wish("delete", ids=[*ids, good.upper()]), LEFT)
    assert [(one["id"], one["status"], one["code"]) for one in answer["results"]] == [
        (good, 200, None),
        (marked, 200, None),
        (pending, 409, "conflict"),
        (foreign, 404, "not_found"),
        (missing, 404, "not_found"),
    ]
    assert (answer["succeeded"], answer["failed"], answer["next_cursor"]) == (2, 3, None)
    assert listed(deployment, caller, status="deleted") == [marked, good]
    assert deployment.batch.run(caller, wish("restore", ids=ids), LEFT)["succeeded"] == 3
    assert listed(deployment, caller) == [marked, good]
    assert deployment.batch.run(caller, wish("favorite", ids=ids), LEFT)["succeeded"] == 2
    assert listed(deployment, caller, favorite=True) == [marked, good]
    assert deployment.batch.run(caller, wish("unfavorite", ids=[marked]), LEFT)["succeeded"] == 1
    assert listed(deployment, caller, favorite=True) == [good]


def test_everything_in_a_filter(deployment: Deployment, caller: Caller) -> None:
    dataset = str(uuid4())
    records = [
        made(deployment, caller, START + timedelta(days=n), dataset_id=dataset if n % 2 else None) for n in range(6)
    ]
    ids = [record["id"] for record in records]
    deployment.batch.run(caller, wish("favorite", filter={"from": "2038-05-02", "to": "2038-05-05T00:00:00Z"}), LEFT)
    assert listed(deployment, caller, favorite=True) == ids[3:0:-1]
    deployment.batch.run(caller, wish("delete", filter={"favorite": True, "dataset_id": dataset}), LEFT)
    assert listed(deployment, caller, status="deleted") == [ids[3], ids[1]]
    assert deployment.batch.run(caller, wish("restore", filter={"dataset_id": str(uuid4())}), LEFT)["results"] == []
    assert deployment.batch.run(caller, wish("restore", filter={}), LEFT)["succeeded"] == 2
    assert listed(deployment, caller) == ids[::-1]
    assert deployment.batch.run(caller, wish("delete", filter={}), LEFT)["succeeded"] == 6
    assert listed(deployment, caller) == []
    for record in records:
        assert deployment.bucket.get(f"images/{record['id']}.png") is None


def test_a_filter_with_many_matches_goes_on_from_a_cursor(deployment: Deployment, caller: Caller) -> None:
    for n in range(7):
        made(deployment, caller, START + timedelta(seconds=n), status="failed", error="x")
    clock = [START]

    class Late:
        """Two images at a time, and the time is over after each page."""

        def page(self, who: Caller, query: HistoryQuery, public_url: str) -> dict[str, Any]:
            page = deployment.history.page(who, HistoryQuery(limit=2, cursor=query.cursor, status=query.status), "")
            assert public_url == ""
            return page

        def sees_all(self, who: Caller) -> bool:
            return deployment.history.sees_all(who)

    class Slow:
        def throw(self, who: Caller, image_id: str) -> None:
            deployment.trash.throw(who, image_id)
            clock[0] += timedelta(seconds=5)

        restore = throw

    given: Any = {"history": Late(), "trash": Slow(), "images": deployment.images}
    batch = Batch(**given, executor=deployment.executor, now=lambda: clock[0])
    seen, cursor, answers = [], None, 0
    while True:
        answer = batch.run(caller, wish("delete", filter={"status": "failed"}, cursor=cursor), timedelta(seconds=15))
        seen += [one["id"] for one in answer["results"]]
        answers += 1
        if (cursor := answer["next_cursor"]) is None:
            break
    assert answers == 4
    assert len(set(seen)) == len(seen) == 7
    assert listed(deployment, caller, status="failed") == []
    with pytest.raises(InvalidCursor):
        deployment.batch.run(caller, wish("delete", filter={}, cursor="x"), LEFT)


def test_what_there_is_no_time_for_says_so(deployment: Deployment, caller: Caller) -> None:
    record = made(deployment, caller)
    answer = deployment.batch.run(caller, wish("delete", ids=[record["id"]]), timedelta(seconds=1))
    assert [one["code"] for one in answer["results"]] == ["service_unavailable"]
    assert listed(deployment, caller) == [record["id"]]


def test_one_that_fails_stops_no_other(deployment: Deployment, proxy: Proxy, caller: Caller) -> None:
    ids = [made(deployment, caller)["id"] for _ in range(4)]
    proxy.inject(Fault("UpdateItem images 2", "error"))
    answer = deployment.batch.run(caller, wish("favorite", ids=ids), LEFT)
    proxy.fault = None
    assert sorted(one["status"] for one in answer["results"]) == [200, 200, 200, 503]
    marked = [one["id"] for one in answer["results"] if one["status"] == 200]
    assert set(listed(deployment, caller, favorite=True)) == set(marked)


def test_without_a_token(stack: Stack, deployment: Deployment) -> None:
    record = made(deployment, ANONYMOUS)
    answer = deployment.batch.run(ANONYMOUS, wish("delete", ids=[record["id"]]), LEFT)
    assert [one["code"] for one in answer["results"]] == ["forbidden"]
    environment = {**stack.environment("ChangeImages"), "ANONYMOUS_HISTORY": "none"}
    with closing(Deployment(Settings.from_environment(environment))) as closed, pytest.raises(Unauthenticated):
        closed.batch.run(ANONYMOUS, wish("delete", ids=[record["id"]]), LEFT)
