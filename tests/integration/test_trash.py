"""The trash on a real table and a real bucket: pixels and records agree, whatever fails and whoever is faster."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.errors import Conflict, Forbidden, NotFound, Unavailable
from imagetrail.history import HistoryQuery
from imagetrail.records import image_key, index_keys, thumbnail_key
from imagetrail.settings import Settings
from imagetrail.trash import KEPT, find_pixels
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Fault, Proxy, proxy_to
from tests.integration.killing import killed_at
from tests.integration.made import made
from tests.integration.trash_once import empty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Stack

    Record = dict[str, Any]
    Make = Callable[..., Record]

ADMIN = Caller("root", is_admin=True)
SOON, OVER = timedelta(minutes=2), KEPT + timedelta(minutes=2)
LASTING: list[Any] = ["throttle", "error", "cut before", "cut after"]


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    given = stack.environment("PurgeTrash")
    with proxy_to(stack.endpoint, {given["IMAGES_TABLE"]: "images"}) as proxy:
        yield proxy


@pytest.fixture
def environment(stack: Stack, proxy: Proxy) -> dict[str, str]:
    return {**stack.environment("PurgeTrash"), "AWS_ENDPOINT_URL": proxy.url}


@pytest.fixture
def deployment(environment: dict[str, str]) -> Iterator[Deployment]:
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


@pytest.fixture
def make(deployment: Deployment, caller: Caller) -> Make:
    """Makes records of the caller with their pixels."""
    return partial(made, deployment, caller)


def now_of(deployment: Deployment, record: Record) -> Record | None:
    return deployment.dynamo.get(deployment.settings.images_table, record["id"], consistent=True)


def listed(deployment: Deployment, caller: Caller, status: str = "succeeded") -> list[str]:
    page = deployment.history.page(caller, HistoryQuery(status=status), "")
    return [image["id"] for image in page["images"]]


def served(deployment: Deployment, record: Record) -> bool:
    """Whether both objects can be read; never only one of them."""
    objects = {deployment.bucket.get(key(record)) for key in (image_key, thumbnail_key)}
    assert objects in ({b"pixels"}, {None})
    return objects == {b"pixels"}


def assert_agreement(deployment: Deployment, record: Record) -> Record:
    """The pixels are served if and only if the record is in the history; no step is left but a purge to come."""
    current = now_of(deployment, record)
    assert current is not None
    assert served(deployment, record) is not bool(current.get("deleted_at"))
    assert current.get("trash") == ("purge" if current.get("deleted_at") else None)
    assert {name: place for name, place in index_keys(current).items() if place is not None} == {
        name: current[name] for name in index_keys(current) if name in current
    }
    return current


def forgotten(stack: Stack) -> set[str]:
    """Every path that the distribution was ever told to forget."""
    cloudfront, where = stack.client("cloudfront"), stack.resources["EdgeDistribution"]
    ids = [item["Id"] for item in cloudfront.list_invalidations(DistributionId=where)["InvalidationList"]["Items"]]
    found = (cloudfront.get_invalidation(DistributionId=where, Id=one)["Invalidation"] for one in ids)
    return {path for one in found for path in one["InvalidationBatch"]["Paths"]["Items"]}


def test_what_is_thrown_away_is_hidden_and_comes_back(deployment: Deployment, caller: Caller, make: Make) -> None:
    record, other = make(), make()
    thrown = deployment.trash.throw(caller, record["id"])
    assert thrown["deleted_at"] == deployment.history.get(caller, record["id"], "")["deleted_at"]
    assert not served(deployment, record)
    assert served(deployment, other)
    assert listed(deployment, caller) == listed(deployment, caller, "all") == [other["id"]]
    assert listed(deployment, caller, "deleted") == [record["id"]]
    restored = deployment.trash.restore(caller, record["id"])
    assert "deleted_at" not in restored
    assert served(deployment, record)
    assert listed(deployment, caller) == [other["id"], record["id"]]
    assert listed(deployment, caller, "deleted") == []
    empty(deployment, SOON)
    current = assert_agreement(deployment, record)
    assert current == {name: value for name, value in record.items() if value is not None}
    assert [version.is_marker for version in find_pixels(deployment.bucket, record["id"])] == [False, False]


def test_the_trash_of_a_dataset_and_of_all(deployment: Deployment, caller: Caller, make: Make) -> None:
    dataset = str(uuid4())
    inside, outside = make(dataset_id=dataset), make()
    for record in (inside, outside):
        deployment.trash.throw(caller, record["id"])
    page = deployment.history.page(caller, HistoryQuery(status="deleted", dataset_id=dataset), "")
    assert [image["id"] for image in page["images"]] == [inside["id"]]
    for query in (HistoryQuery(dataset_id=dataset), HistoryQuery(dataset_id=dataset, status="all")):
        assert deployment.history.page(caller, query, "")["images"] == []
        assert deployment.history.page(ADMIN, query, "")["images"] == []
    everybodys = deployment.history.page(ADMIN, HistoryQuery(dataset_id=dataset, status="deleted"), "")
    assert [image["id"] for image in everybodys["images"]] == [inside["id"]]


def test_twice_is_as_good_as_once(deployment: Deployment, caller: Caller, make: Make) -> None:
    record = make()
    assert "deleted_at" not in deployment.trash.restore(caller, record["id"])
    first = deployment.trash.throw(caller, record["id"])
    assert deployment.trash.throw(caller, record["id"]) == first
    empty(deployment, SOON)
    assert deployment.trash.throw(caller, record["id"])["deleted_at"] == first["deleted_at"]
    for _ in range(2):
        assert "deleted_at" not in deployment.trash.restore(caller, record["id"])
        assert served(deployment, record)
    again = deployment.trash.throw(caller, record["id"])
    assert again["deleted_at"] > first["deleted_at"]
    empty(deployment, SOON)
    assert_agreement(deployment, record)


def test_who_may_throw_away_what(deployment: Deployment, caller: Caller, make: Make) -> None:
    nobodys, hers = made(deployment, ANONYMOUS), make()
    for change in (deployment.trash.throw, deployment.trash.restore):
        with pytest.raises(NotFound):
            change(Caller("somebody else"), hers["id"])
        with pytest.raises(NotFound):
            change(caller, nobodys["id"])
        with pytest.raises(NotFound):
            change(caller, str(uuid4()))
        with pytest.raises(Forbidden):
            change(ANONYMOUS, nobodys["id"])
        for record in (nobodys, hers):
            change(ADMIN, record["id"])
    assert now_of(deployment, hers) == {name: value for name, value in hers.items() if value is not None} | {
        name: (now_of(deployment, hers) or {})[name] for name in ("trash", "trash_due")
    }


def test_what_is_still_being_made_stays(deployment: Deployment, caller: Caller, make: Make) -> None:
    record = make(status="pending", settle_by="9999")
    with pytest.raises(Conflict):
        deployment.trash.throw(caller, record["id"])
    assert listed(deployment, caller, "pending") == [record["id"]]


def test_a_failure_can_be_thrown_away_too(deployment: Deployment, caller: Caller, make: Make) -> None:
    record = make(status="failed", error="x")
    deployment.trash.throw(caller, record["id"])
    assert listed(deployment, caller, "deleted") == [record["id"]]
    assert listed(deployment, caller, "failed") == []
    assert find_pixels(deployment.bucket, record["id"]) == []
    deployment.trash.restore(caller, record["id"])
    assert listed(deployment, caller, "failed") == [record["id"]]


def test_after_thirty_days_nothing_is_left(deployment: Deployment, caller: Caller, make: Make) -> None:
    thrown, restored, kept = make(), make(), make()
    for record in (thrown, restored):
        deployment.trash.throw(caller, record["id"])
    empty(deployment, KEPT - timedelta(minutes=2))
    deployment.trash.restore(caller, restored["id"])
    assert now_of(deployment, thrown)
    empty(deployment, OVER)
    assert now_of(deployment, thrown) is None
    assert find_pixels(deployment.bucket, thrown["id"]) == []
    for record in (restored, kept):
        assert served(deployment, record)
        assert_agreement(deployment, record)
    with pytest.raises(NotFound):
        deployment.trash.restore(caller, thrown["id"])


def test_the_edge_is_told_once_for_each_time(
    stack: Stack, deployment: Deployment, proxy: Proxy, caller: Caller, make: Make
) -> None:
    record = make()
    deployment.trash.throw(caller, record["id"])
    empty(deployment, SOON)
    assert {record["image_url"], record["thumbnail_url"]} <= forgotten(stack)
    before = proxy.seen.count("s3 POST distribution")
    empty(deployment, SOON)
    assert proxy.seen.count("s3 POST distribution") == before


@pytest.mark.parametrize("kind", ["throttle", "error", "cut before"])
def test_an_edge_that_is_away_is_told_later(
    stack: Stack, deployment: Deployment, proxy: Proxy, caller: Caller, make: Make, kind: Any
) -> None:
    record = make()
    proxy.inject(Fault("s3 POST distribution", kind))
    deployment.trash.throw(caller, record["id"])
    done = empty(deployment, SOON)
    current = now_of(deployment, record)
    assert current is not None
    if current["trash"] == "hide":  # the schedule itself has not been here
        assert set(done.poisoned) == {"edge"}
        proxy.fault = None
        assert not empty(deployment, SOON).poisoned
    assert_agreement(deployment, record)
    assert {record["image_url"], record["thumbnail_url"]} <= forgotten(stack)


@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.parametrize("step", ["GetItem images", "UpdateItem images", "s3 DELETE images", "s3 DELETE thumbnails"])
def test_whatever_fails_while_throwing_away(
    deployment: Deployment, proxy: Proxy, caller: Caller, make: Make, step: str, kind: Any
) -> None:
    record = make()
    proxy.inject(Fault(step, kind))
    told = None
    with suppress(Unavailable):
        told = deployment.trash.throw(caller, record["id"])
    proxy.fault = None
    empty(deployment, SOON)
    current = assert_agreement(deployment, record)
    assert told is None or current["deleted_at"] == told["deleted_at"]
    assert told is not None or not step.startswith("s3"), "the schedule does what the bucket would not"


@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.parametrize("step", ["GetItem images", "s3 GET", "UpdateItem images", "s3 DELETE"])
def test_whatever_fails_while_restoring(
    deployment: Deployment, proxy: Proxy, caller: Caller, make: Make, step: str, kind: Any
) -> None:
    record = make()
    deployment.trash.throw(caller, record["id"])
    proxy.inject(Fault(step, kind))
    told = None
    with suppress(Unavailable):
        told = deployment.trash.restore(caller, record["id"])
    proxy.fault = None
    empty(deployment, SOON)
    current = assert_agreement(deployment, record)
    assert told is None or "deleted_at" not in current


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        (["throw"], ["UpdateItem images", "s3 DELETE images", "s3 DELETE thumbnails"]),
        (["restore"], ["s3 GET", "UpdateItem images", "s3 DELETE images", "s3 DELETE thumbnails"]),
        (["empty", str(SOON.total_seconds())], ["s3 DELETE images", "s3 POST distribution", "UpdateItem images"]),
    ],
    ids=["throw", "restore", "empty"],
)
def test_a_kill_leaves_nothing_that_the_schedule_does_not_finish(
    deployment: Deployment,
    environment: dict[str, str],
    proxy: Proxy,
    caller: Caller,
    make: Make,
    steps: list[str],
    labels: list[str],
    after: bool,
) -> None:
    empty(deployment, OVER)
    for label in labels:
        record = make()
        if steps[0] != "throw":
            deployment.trash.throw(caller, record["id"])
        words = steps if steps[0] == "empty" else [*steps, str(caller.user_id), record["id"]]
        fault = Fault(label, "cut after" if after else "cut before", times=1)
        killed = killed_at(fault, proxy, environment, "trash_once", *words)
        assert killed or steps[0] == "empty"  # the schedule itself may have been faster
        empty(deployment, SOON)
        assert_agreement(deployment, record)


@pytest.mark.parametrize("kind", ["cut before", "cut after"])
@pytest.mark.parametrize("label", ["UpdateItem images", "s3 GET", "s3 DELETE images", "DeleteItem images"])
def test_a_purge_that_is_killed_is_finished(
    deployment: Deployment,
    environment: dict[str, str],
    proxy: Proxy,
    caller: Caller,
    make: Make,
    label: str,
    kind: Any,
) -> None:
    empty(deployment, OVER)
    record = make()
    deployment.trash.throw(caller, record["id"])
    empty(deployment, SOON)
    assert killed_at(Fault(label, kind, times=1), proxy, environment, "trash_once", "empty", str(OVER.total_seconds()))
    half_gone = now_of(deployment, record)
    if half_gone is not None and half_gone["trash"] == "purging":
        with pytest.raises(Conflict):
            deployment.trash.restore(caller, record["id"])
    empty(deployment, OVER)
    assert now_of(deployment, record) is None
    assert find_pixels(deployment.bucket, record["id"]) == []


def test_a_deletion_that_is_overtaken_does_not_hide_what_was_restored(
    deployment: Deployment, proxy: Proxy, caller: Caller, make: Make, stack: Stack
) -> None:
    record = make()
    direct = Settings.from_environment({**stack.environment("RestoreImage"), "AWS_ENDPOINT_URL": stack.endpoint})
    with closing(Deployment(direct)) as faster:

        def overtake() -> None:
            assert "deleted_at" not in faster.trash.restore(caller, record["id"])

        proxy.inject(Fault("s3 DELETE images", "cut before", times=1, then=overtake))
        deployment.trash.throw(caller, record["id"])
    assert not served(deployment, record), "the marker came after the restoring"
    empty(deployment, timedelta())
    empty(deployment, SOON)
    assert "deleted_at" not in assert_agreement(deployment, record)


def test_a_restoring_that_is_overtaken_does_not_show_what_was_thrown_away_again(
    deployment: Deployment, proxy: Proxy, caller: Caller, make: Make, stack: Stack
) -> None:
    record = make()
    deployment.trash.throw(caller, record["id"])
    direct = Settings.from_environment({**stack.environment("DeleteImage"), "AWS_ENDPOINT_URL": stack.endpoint})
    with closing(Deployment(direct)) as faster:

        def overtake() -> None:
            assert "deleted_at" in faster.trash.throw(caller, record["id"])

        proxy.inject(Fault("s3 DELETE images", "cut before", times=1, then=overtake))
        deployment.trash.restore(caller, record["id"])
    assert not served(deployment, record)
    empty(deployment, SOON)
    assert "deleted_at" in assert_agreement(deployment, record)


def test_many_at_once_end_in_agreement(deployment: Deployment, caller: Caller, make: Make) -> None:
    records = [make() for _ in range(6)]
    choose = random.Random(7)  # noqa: S311

    def act(_: int) -> None:
        record = choose.choice(records)
        match choose.randrange(5):
            case 0 | 1:
                deployment.trash.throw(caller, record["id"])
            case 2 | 3:
                deployment.trash.restore(caller, record["id"])
            case _:
                empty(deployment, timedelta())

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(act, range(60)))
    empty(deployment, SOON)
    for record in records:
        assert_agreement(deployment, record)
