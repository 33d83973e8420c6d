"""One action on many images, by their ids or by a filter, with each image's own outcome."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.answers import Job
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from imagetrail.history import HistoryQuery
from imagetrail.schemas import BatchRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Fault, Kind, Proxy, proxy_to
from tests.integration.made import made
from tests.waiting import until

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
    answer = deployment.batch.on_ids(caller, wish("delete", ids=[*ids, good.upper()]), LEFT)
    assert [(one["id"], one["status"], one["code"]) for one in answer["results"]] == [
        (good, 200, None),
        (marked, 200, None),
        (pending, 409, "conflict"),
        (foreign, 404, "not_found"),
        (missing, 404, "not_found"),
    ]
    assert (answer["succeeded"], answer["failed"]) == (2, 3)
    assert listed(deployment, caller, status="deleted") == [marked, good]
    assert deployment.batch.on_ids(caller, wish("restore", ids=ids), LEFT)["succeeded"] == 3
    assert listed(deployment, caller) == [marked, good]
    assert deployment.batch.on_ids(caller, wish("favorite", ids=ids), LEFT)["succeeded"] == 2
    assert listed(deployment, caller, favorite=True) == [marked, good]
    assert deployment.batch.on_ids(caller, wish("unfavorite", ids=[marked]), LEFT)["succeeded"] == 1
    assert listed(deployment, caller, favorite=True) == [good]


def test_an_outcome_says_whether_the_image_was_changed(deployment: Deployment, caller: Caller) -> None:
    ids = [made(deployment, caller)["id"] for _ in range(2)]
    pending = made(deployment, caller, status="pending", settle_by="9999")["id"]

    def changed(action: str, *some: str) -> list[bool]:
        answer = deployment.batch.on_ids(caller, wish(action, ids=list(some)), LEFT)
        return [one["changed"] for one in answer["results"]]

    for action, inverse in (("delete", "restore"), ("favorite", "unfavorite")):
        assert changed(action, ids[0]) == [True]
        assert changed(action, *ids, pending, str(uuid4())) == [False, True, False, False]
        assert changed(inverse, ids[1]) == [True]
        assert changed(inverse, *ids) == [True, False]


def run(deployment: Deployment, caller: Caller, action: str, **words: Any) -> dict[str, Any]:
    """A job to its end, by a runner of this process or by the deployed one."""
    job = deployment.batch.on_filter(caller, wish(action, filter=words))

    def ended() -> bool:
        deployment.runner.run(timedelta(seconds=1), job["id"])
        return deployment.jobs.get(caller, job["id"])["status"] in ("succeeded", "failed")

    until(ended)
    job = deployment.jobs.get(caller, job["id"])
    Job.model_validate(job)
    return job


def test_everything_in_a_filter(deployment: Deployment, caller: Caller) -> None:
    dataset = str(uuid4())
    records = [
        made(deployment, caller, START + timedelta(days=n), dataset_id=dataset if n % 2 else None) for n in range(6)
    ]
    ids = [record["id"] for record in records]
    job = run(deployment, caller, "favorite", **{"from": "2038-05-02", "to": "2038-05-05T00:00:00Z"})
    assert (job["kind"], job["status"], job["receipt"]["counts"]) == ("change_images", "succeeded", {"changed": 3})
    assert listed(deployment, caller, favorite=True) == ids[3:0:-1]
    run(deployment, caller, "delete", favorite=True, dataset_id=dataset)
    assert listed(deployment, caller, status="deleted") == [ids[3], ids[1]]
    assert run(deployment, caller, "restore", dataset_id=str(uuid4()))["progress"] == {}
    assert run(deployment, caller, "restore")["progress"] == {"changed": 2}
    assert listed(deployment, caller) == ids[::-1]
    assert run(deployment, caller, "delete")["progress"] == {"changed": 6}
    assert listed(deployment, caller) == []
    for record in records:
        assert deployment.bucket.get(f"images/{record['id']}.png") is None


def test_a_filter_with_many_matches_goes_on_page_by_page(deployment: Deployment, proxy: Proxy, caller: Caller) -> None:
    for n in range(7):
        made(deployment, caller, START + timedelta(seconds=n), status="failed", error="x")
    made(deployment, caller, START + timedelta(seconds=9), status="pending", settle_by="9999")
    batch = replace(deployment.batch, page_size=2)
    job = {
        "subject": f'{{"user_id":"{caller.user_id}","is_admin":false,"action":"delete","filter":{{"status":"all"}}}}',
        "job_id": str(uuid4()),
        "state": {},
    }
    proxy.inject(Fault("UpdateItem images 1", "error", times=4))
    with pytest.raises(Unavailable):
        batch.page(job)
    proxy.fault = None
    counts: Counter[str] = Counter()
    pages, done = 0, False
    while not done:
        progress = batch.page(job)
        counts.update(progress.counts)
        pages, done, job["state"] = pages + 1, progress.done, progress.state
    assert pages == 4
    assert counts["conflict"] == 1
    assert len(listed(deployment, caller, status="deleted")) == 7
    assert listed(deployment, caller, status="failed") == []


def test_the_same_wish_is_one_job_while_it_is_open(deployment: Deployment, caller: Caller) -> None:
    jobs = replace(deployment.jobs, kick=lambda _: None)
    batch = replace(deployment.batch, jobs=jobs)
    first, again, other = (
        batch.on_filter(caller, wish(action, filter={})) for action in ("delete", "delete", "restore")
    )
    assert first["id"] == again["id"] != other["id"]
    with pytest.raises(NotFound):
        deployment.jobs.get(Caller("somebody else"), first["id"])


def test_what_there_is_no_time_for_says_so(deployment: Deployment, caller: Caller) -> None:
    record = made(deployment, caller)
    answer = deployment.batch.on_ids(caller, wish("delete", ids=[record["id"]]), timedelta(seconds=1))
    assert [one["code"] for one in answer["results"]] == ["service_unavailable"]
    assert listed(deployment, caller) == [record["id"]]


@pytest.mark.parametrize("kind", ["error", "refuse"])
def test_one_that_fails_stops_no_other(deployment: Deployment, proxy: Proxy, caller: Caller, kind: Kind) -> None:
    ids = [made(deployment, caller)["id"] for _ in range(4)]
    proxy.inject(Fault("UpdateItem images 2", kind))
    answer = deployment.batch.on_ids(caller, wish("favorite", ids=ids), LEFT)
    proxy.fault = None
    assert sorted(one["status"] for one in answer["results"]) == [200, 200, 200, 503]
    marked = [one["id"] for one in answer["results"] if one["status"] == 200]
    assert set(listed(deployment, caller, favorite=True)) == set(marked)


def test_without_a_token(stack: Stack, deployment: Deployment) -> None:
    record = made(deployment, ANONYMOUS)
    answer = deployment.batch.on_ids(ANONYMOUS, wish("delete", ids=[record["id"]]), LEFT)
    assert [one["code"] for one in answer["results"]] == ["forbidden"]
    with pytest.raises(Forbidden):
        deployment.batch.on_filter(ANONYMOUS, wish("delete", filter={}))
    environment = {**stack.environment("ChangeImages"), "ANONYMOUS_HISTORY": "none"}
    with closing(Deployment(Settings.from_environment(environment))) as closed, pytest.raises(Unauthenticated):
        closed.batch.on_ids(ANONYMOUS, wish("delete", ids=[record["id"]]), LEFT)
