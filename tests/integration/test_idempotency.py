"""Requests with an Idempotency-Key: one effect and one answer, whatever fails, wherever the process dies."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.callers import NOWHERE, Caller
from imagetrail.dynamo import Expression
from imagetrail.errors import Blocked, ImagetrailError, InProgress, KeyReused, ModelFailed, NotFound
from imagetrail.history import BY_OWNER
from imagetrail.models import ImageRequest, ModelOutput, Unanswered, procedural
from imagetrail.models.catalog import Catalog
from imagetrail.preferences import Preferences
from imagetrail.records import image_key, thumbnail_key
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.settling import Sweep
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Fault, Proxy, proxy_to
from tests.integration.killing import killed_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imagetrail.submission import Outcome, Submission
    from tests.conftest import Stack

REQUEST = GenerateRequest(prompt="a lighthouse at dawn")


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    given = stack.environment("GenerateImage")
    with proxy_to(stack.endpoint, {given["IMAGES_TABLE"]: "images", given["LEDGER_TABLE"]: "ledger"}) as proxy:
        yield proxy


@pytest.fixture
def environment(stack: Stack, proxy: Proxy) -> dict[str, str]:
    return {**stack.environment("GenerateImage"), "AWS_ENDPOINT_URL": proxy.url}


@pytest.fixture
def deployment(environment: dict[str, str]) -> Iterator[Deployment]:
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def submit(
    submission: Submission,
    caller: Caller,
    key: str | None = "one",
    request: GenerateRequest = REQUEST,
    seconds: float = 20,
    prefer: str = "",
) -> Outcome:
    return submission.submit(
        caller,
        request,
        NOWHERE,
        time_left=timedelta(seconds=seconds),
        preferences=Preferences.parse(prefer),
        key=key,
    )


def with_model(deployment: Deployment, model: Callable[[ImageRequest], ModelOutput], name: str) -> Submission:
    """The deployment's submission, with one model in the place of a vendor's."""
    generation = replace(deployment.generation, catalog=Catalog(name, lambda _: model))
    return replace(deployment.submission, generation=generation)


def records_of(deployment: Deployment, caller: Caller) -> list[dict[str, Any]]:
    key = Expression("#owner = :owner", {"owner": caller.owner})
    table = deployment.settings.images_table
    return deployment.dynamo.query(table, BY_OWNER, key, newest_first=True, limit=100).items


def sweep_later(deployment: Deployment) -> None:
    sweep = deployment.sweep
    Sweep(
        dynamo=sweep.dynamo,
        images_table=sweep.images_table,
        ledger=sweep.ledger,
        bucket=sweep.bucket,
        tombstones=sweep.tombstones,
        versions=sweep.versions,
        now=lambda: datetime.now(UTC) + timedelta(hours=2),
    ).run()


def test_the_same_request_is_answered_again_without_being_made_again(deployment: Deployment, caller: Caller) -> None:
    first = submit(deployment.submission, caller)
    again = submit(deployment.submission, caller)
    assert (first.is_replay, again.is_replay) == (False, True)
    assert again.record["id"] == first.record["id"]
    assert again.record["sha256"] == first.record["sha256"]
    assert len(records_of(deployment, caller)) == 1


def test_a_key_belongs_to_its_caller_and_its_body(deployment: Deployment, caller: Caller) -> None:
    first = submit(deployment.submission, caller)
    with pytest.raises(KeyReused):
        submit(deployment.submission, caller, request=GenerateRequest(prompt="a lighthouse at dusk"))
    other = submit(deployment.submission, Caller(f"user-{uuid4()}"))
    assert other.record["id"] != first.record["id"]
    assert submit(deployment.submission, caller, key="two").record["id"] != first.record["id"]
    assert len(records_of(deployment, caller)) == 2


def test_of_many_at_once_one_is_made(deployment: Deployment, caller: Caller) -> None:
    outcomes: Counter[str] = Counter()
    ids: set[str] = set()

    def request() -> None:
        try:
            ids.add(submit(deployment.submission, caller).record["id"])
            outcomes["answered"] += 1
        except InProgress:
            outcomes["in progress"] += 1

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 1
    assert outcomes.total() == 8
    assert len(records_of(deployment, caller)) == 1


def test_while_the_first_is_running_the_second_is_told_so(deployment: Deployment, caller: Caller) -> None:
    def model(request: ImageRequest) -> ModelOutput:
        with pytest.raises(InProgress) as refused:
            submit(deployment.submission, caller)
        assert (refused.value.status, refused.value.code) == (409, "request_in_progress")
        return procedural.generate(request)

    assert submit(with_model(deployment, model, "procedural"), caller).record["status"] == "succeeded"


@pytest.mark.parametrize("error", [ModelFailed("busy"), Blocked("never")])
def test_a_failure_that_took_no_money_frees_the_key(
    deployment: Deployment, caller: Caller, error: ImagetrailError
) -> None:
    def model(_: ImageRequest) -> ModelOutput:
        raise error

    with pytest.raises(type(error)):
        submit(with_model(deployment, model, "bedrock/core"), caller)
    assert submit(deployment.submission, caller).record["status"] == "succeeded"
    assert sorted(record["status"] for record in records_of(deployment, caller))[1] == "succeeded"


def test_a_failure_that_may_have_been_paid_is_the_answer_for_its_key(deployment: Deployment, caller: Caller) -> None:
    asked: list[ImageRequest] = []

    def model(request: ImageRequest) -> ModelOutput:
        asked.append(request)
        raise Unanswered

    submission = with_model(deployment, model, "bedrock/core")
    failures = []
    for _ in range(3):
        with pytest.raises(ModelFailed) as failure:
            submit(submission, caller)
        failures.append(failure.value)
    assert len(asked) == 1
    assert {failure.image_id for failure in failures} == {records_of(deployment, caller)[0]["id"]}
    assert [failure.headers for failure in failures] == [{}, *[{"idempotent-replayed": "true"}] * 2]
    assert len({failure.detail for failure in failures}) == 1


def test_a_lost_confirmation_does_not_lose_the_answer(deployment: Deployment, proxy: Proxy, caller: Caller) -> None:
    """The image is made, and only that cannot be noted beside its key."""

    def model(request: ImageRequest) -> ModelOutput:
        proxy.inject(Fault("UpdateItem ledger", "error"))
        return procedural.generate(request)

    first = submit(with_model(deployment, model, "procedural"), caller, seconds=6)
    proxy.fault = None
    assert first.record["status"] == "succeeded"
    again = submit(deployment.submission, caller)
    assert (again.record["id"], again.is_replay) == (first.record["id"], True)


@pytest.mark.parametrize("step", ["s3 PUT thumbnails", "s3 PUT images"])
def test_who_dies_between_the_charge_and_the_answer_is_not_charged_again(
    deployment: Deployment, environment: dict[str, str], proxy: Proxy, caller: Caller, step: str
) -> None:
    kind: Any = "cut after" if step == "s3 PUT thumbnails" else "cut before"
    fault = Fault(step, kind, times=1)
    assert killed_at(fault, proxy, environment, "generate_once", str(caller.user_id), "one")
    with pytest.raises(InProgress, match="is being worked on"):
        submit(deployment.submission, caller)
    guard = replace(deployment.submission.guard, now=lambda: datetime.now(UTC) + timedelta(seconds=11))
    with pytest.raises(InProgress, match="broke off"):
        submit(replace(deployment.submission, guard=guard), caller)
    assert len(records_of(deployment, caller)) == 1
    sweep_later(deployment)
    (record,) = records_of(deployment, caller)
    if record["status"] == "succeeded":
        assert submit(deployment.submission, caller).record["id"] == record["id"]
        assert len(records_of(deployment, caller)) == 1
    else:
        assert record["status"] == "failed"
        assert record["cost_usd"] == 0, "the painter is free"
        assert submit(deployment.submission, caller).record["status"] == "succeeded"


def test_an_image_that_is_gone_is_not_made_again(deployment: Deployment, caller: Caller) -> None:
    made = submit(deployment.submission, caller).record
    deployment.dynamo.delete(deployment.settings.images_table, made["id"], Expression("attribute_exists(#id)"))
    for key in (image_key(made), thumbnail_key(made)):
        deployment.bucket.delete(key)
    with pytest.raises(NotFound):
        submit(deployment.submission, caller)
    assert records_of(deployment, caller) == []


def test_neither_key_nor_prompt_is_kept(deployment: Deployment, caller: Caller, stack: Stack) -> None:
    key, prompt = f"key-{uuid4()}", f"prompt {uuid4()}"
    submit(deployment.submission, caller, key, GenerateRequest(prompt=prompt))
    ledger = str(stack.client("dynamodb").scan(TableName=deployment.settings.ledger_table)["Items"])
    assert key not in ledger
    assert prompt not in ledger
    assert str(caller.user_id) not in ledger
