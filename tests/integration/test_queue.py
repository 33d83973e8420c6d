"""Generations that go through the queue: finished once, however often the message comes, whoever dies."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.aws import AwsError
from imagetrail.callers import NOWHERE, Caller
from imagetrail.errors import Blocked, ModelFailed, Unavailable
from imagetrail.models import ImageRequest, ModelOutput, procedural
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.settling import Sweep
from imagetrail.submission import PATIENCE
from imagetrail.wiring import Deployment
from imagetrail.worker import Worker
from tests.integration.test_idempotency import submit, with_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.generation import Generation
    from imagetrail.submission import Submission
    from tests.conftest import Stack

TIME = timedelta(seconds=20)


class Messages:
    """A queue that only notes what it is sent; its messages are delivered by the test."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.sent: list[str] = []
        self.fault = fault

    def send(self, body: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.sent.append(body)


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    environment = stack.environment("GenerateImage") | {"USER_DAILY_QUOTA": "3"}
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def submission(deployment: Deployment, messages: Messages) -> Submission:
    return replace(deployment.submission, queue=messages)  # type: ignore[arg-type]


def record_of(deployment: Deployment, image_id: str) -> dict[str, Any]:
    return deployment.dynamo.get(deployment.settings.images_table, image_id, consistent=True) or {}


def left(deployment: Deployment, caller: Caller) -> float:
    standing: float = deployment.usage.of(caller, NOWHERE)["daily_images"]["left"]
    return standing


def worker(generation: Generation) -> Worker:
    return Worker(generation=generation, count=lambda **_: None)


def sweep(deployment: Deployment, after: timedelta) -> None:
    given = deployment.sweep
    Sweep(
        dynamo=given.dynamo,
        images_table=given.images_table,
        ledger=given.ledger,
        bucket=given.bucket,
        tombstones=given.tombstones,
        versions=given.versions,
        now=lambda: datetime.now(UTC) + after,
    ).run()


def test_a_message_that_comes_three_times_makes_one_image(
    deployment: Deployment, submission: Submission, messages: Messages, caller: Caller
) -> None:
    asked: list[ImageRequest] = []

    def model(request: ImageRequest) -> ModelOutput:
        asked.append(request)
        return procedural.generate(request)

    pending = submit(submission, caller, None, prefer="respond-async").record
    assert pending["status"] == "pending"
    assert messages.sent == [pending["id"]]
    work = worker(with_model(deployment, model, "procedural").generation)
    for _ in range(3):
        assert work.run({"m": pending["id"]}, TIME) == []
    assert len(asked) == 1
    record = record_of(deployment, pending["id"])
    assert record["status"] == "succeeded"
    assert not {"claim", "queued", "candidates", "holds", "unsettled"} & set(record)
    assert left(deployment, caller) == 2


def test_two_workers_with_the_same_message_make_one_image(
    deployment: Deployment, submission: Submission, caller: Caller
) -> None:
    asked: list[ImageRequest] = []
    together = threading.Barrier(4)

    def model(request: ImageRequest) -> ModelOutput:
        asked.append(request)
        return procedural.generate(request)

    pending = submit(submission, caller, None, prefer="respond-async").record
    work = worker(with_model(deployment, model, "procedural").generation)

    def run() -> None:
        together.wait()
        work.run({"m": pending["id"]}, TIME)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert record_of(deployment, pending["id"])["status"] == "succeeded"


@pytest.mark.parametrize(("error", "status"), [(ModelFailed("no"), "failed"), (Blocked("never"), "blocked")])
def test_a_failure_is_final_and_gives_the_quota_back(
    deployment: Deployment, submission: Submission, caller: Caller, error: Exception, status: str
) -> None:
    def model(_: ImageRequest) -> ModelOutput:
        raise error

    pending = submit(submission, caller, None, prefer="respond-async").record
    work = worker(with_model(deployment, model, "procedural").generation)
    assert work.run({"m": pending["id"]}, TIME) == []
    assert record_of(deployment, pending["id"])["status"] == status
    assert left(deployment, caller) == 3


def test_a_worker_that_dies_is_not_repeated_and_what_it_may_have_spent_is_counted(
    deployment: Deployment, submission: Submission, caller: Caller
) -> None:
    class Killed(BaseException):
        """As near to a kill as an exception comes."""

    def model(_: ImageRequest) -> ModelOutput:
        raise Killed

    bedrock = replace(submission, generation=with_model(deployment, model, "bedrock/core").generation)
    pending = submit(bedrock, caller, None, prefer="respond-async").record
    work = worker(bedrock.generation)
    with pytest.raises(Killed):
        work.run({"m": pending["id"]}, TIME)
    assert work.run({"m": pending["id"]}, TIME) == [], "asked once, it is never asked again"
    assert record_of(deployment, pending["id"])["status"] == "pending"
    sweep(deployment, timedelta(minutes=5))
    record = record_of(deployment, pending["id"])
    assert (record["status"], record["cost_usd"]) == ("failed", 0.04)


def test_what_nobody_took_fails_uncharged_after_an_hour_and_not_before(
    deployment: Deployment, submission: Submission, caller: Caller
) -> None:
    pending = submit(submission, caller, None, prefer="respond-async").record
    sweep(deployment, PATIENCE - timedelta(minutes=1))
    assert record_of(deployment, pending["id"])["status"] == "pending"
    sweep(deployment, PATIENCE + timedelta(minutes=1))
    record = record_of(deployment, pending["id"])
    assert (record["status"], record["cost_usd"]) == ("failed", 0)
    assert "waited too long" in record["error"]
    assert worker(submission.generation).run({"m": pending["id"]}, TIME) == []
    assert record_of(deployment, pending["id"])["status"] == "failed"


def test_a_late_message_is_not_begun_when_the_sweep_may_be_at_it(submission: Submission, caller: Caller) -> None:
    pending = submit(submission, caller, None, prefer="respond-async").record
    late = replace(submission.generation, now=lambda: datetime.now(UTC) + PATIENCE + timedelta(seconds=1))
    assert late.claim(pending["id"], TIME) is None


@pytest.mark.parametrize("fault", [Unavailable(), AwsError("sqs", "AccessDenied", {})], ids=["away", "refused"])
def test_a_queue_that_takes_nothing_is_503_and_leaves_no_pending_record(
    deployment: Deployment, submission: Submission, messages: Messages, caller: Caller, fault: Exception
) -> None:
    messages.fault = fault
    with pytest.raises(Unavailable):
        submit(submission, caller, "one", prefer="respond-async")
    assert left(deployment, caller) == 3
    messages.fault = None
    submit(submission, caller, "one", prefer="respond-async")
    messages.fault = fault
    with pytest.raises(Unavailable):
        submit(submission, caller, "one", prefer="respond-async")
    messages.fault = None
    assert submit(submission, caller, "one", prefer="respond-async").is_replay
    assert len(messages.sent) == 2


def test_a_table_that_is_away_gives_the_message_back(deployment: Deployment) -> None:
    unreachable = replace(deployment.settings, endpoint_url="http://127.0.0.1:9")
    with closing(Deployment(unreachable)) as cut_off:
        assert cut_off.worker.run({"m1": str(uuid4()), "m2": str(uuid4())}, TIME) == ["m1", "m2"]


def test_a_slow_request_goes_through_the_queue_by_itself(
    deployment: Deployment, submission: Submission, messages: Messages, caller: Caller
) -> None:
    gemini = replace(submission, generation=with_model(deployment, procedural.generate, "gemini").generation)
    request = GenerateRequest(prompt="a lighthouse", resolution="4K", format="jpg")
    outcome = submit(gemini, caller, None, request)
    assert outcome.record["status"] == "pending"
    assert outcome.applied == ""
    assert worker(gemini.generation).run({"m": messages.sent[0]}, TIME) == []
    record = record_of(deployment, outcome.record["id"])
    assert (record["status"], record["width"], record["cost_usd"]) == ("succeeded", 4096, 0.24)


def test_who_waits_gets_the_image_or_after_that_time_where_it_will_be(
    submission: Submission, messages: Messages, caller: Caller
) -> None:
    work = worker(submission.generation)

    def meanwhile(_: float) -> None:
        work.run({"m": messages.sent[-1]}, TIME)

    waited = submit(replace(submission, pause=meanwhile), caller, None, prefer="wait=5")
    assert (waited.record["status"], waited.applied) == ("succeeded", "wait=5")

    passed: list[float] = []
    clock = datetime.now(UTC)
    impatient = replace(submission, now=lambda: clock + timedelta(seconds=sum(passed)), pause=passed.append)
    assert submit(impatient, caller, None, prefer="respond-async, wait=3").record["status"] == "pending"
    assert 2 < sum(passed) <= 3


def test_who_waits_is_told_of_a_failure_as_if_it_had_been_made_at_once(
    deployment: Deployment, submission: Submission, messages: Messages, caller: Caller
) -> None:
    def model(_: ImageRequest) -> ModelOutput:
        raise Blocked

    work = worker(with_model(deployment, model, "procedural").generation)
    waiting = replace(submission, pause=lambda _: work.run({"m": messages.sent[-1]}, TIME))  # type: ignore[arg-type]
    with pytest.raises(Blocked) as refused:
        submit(waiting, caller, None, prefer="wait=5")
    assert refused.value.image_id == messages.sent[-1]


def test_a_repeated_key_finds_its_queued_image_and_queues_it_again_until_it_is_taken(
    submission: Submission, messages: Messages, caller: Caller
) -> None:
    first = submit(submission, caller, "one", prefer="respond-async")
    again = submit(submission, caller, "one", prefer="respond-async")
    assert again.is_replay
    assert messages.sent == [first.record["id"]] * 2
    worker(submission.generation).run({"m": first.record["id"]}, TIME)
    done = submit(submission, caller, "one")
    assert (done.record["status"], done.is_replay) == ("succeeded", True)
    assert len(messages.sent) == 2
