"""A refusal or an uncharged failure frees the Idempotency-Key for any body; an attempt that may be paid keeps it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.aws import AwsError
from imagetrail.callers import NOWHERE, Caller
from imagetrail.dynamo import Dynamo, Expression
from imagetrail.errors import (
    Blocked,
    BudgetExhausted,
    ImagetrailError,
    InProgress,
    Invalid,
    KeyReused,
    ModelFailed,
    NotFound,
    QuotaExhausted,
    Unavailable,
)
from imagetrail.models import ImageRequest, ModelOutput, Unanswered, procedural
from imagetrail.preferences import Preferences
from imagetrail.records import image_key, thumbnail_key
from imagetrail.schemas import GenerateRequest, RegenerateRequest
from imagetrail.settings import Settings
from imagetrail.submission import PATIENCE
from imagetrail.wiring import Deployment
from imagetrail.worker import Worker
from tests.integration.test_idempotency import REQUEST, records_of, submit, with_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from imagetrail.submission import Submission
    from tests.conftest import Stack

CORRECTED = GenerateRequest(prompt="a lighthouse at dusk")
TIME = timedelta(seconds=20)


class Messages:
    """A queue that is worked on as soon as a message is in it, unless it is only to be noted."""

    def __init__(self, work: Worker | None = None, fault: Exception | None = None) -> None:
        self.sent: list[str] = []
        self.work, self.fault = work, fault

    def send(self, image_id: str) -> None:
        self.sent.append(image_id)
        if self.work is not None:
            self.work.run({"m": image_id}, TIME)
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def environment(stack: Stack) -> dict[str, str]:
    return stack.environment("GenerateImage")


@pytest.fixture
def deployed(environment: dict[str, str]) -> Iterator[Callable[..., Deployment]]:
    made: list[Deployment] = []

    def deploy(**changes: str) -> Deployment:
        made.append(Deployment(Settings.from_environment({**environment, **changes})))
        return made[-1]

    yield deploy
    for deployment in made:
        deployment.close()


@pytest.fixture
def deployment(deployed: Callable[..., Deployment]) -> Deployment:
    return deployed()


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def with_queue(submission: Submission, fault: Exception | None = None) -> Submission:
    """The submission with a worker that takes its messages at once."""
    work = Worker(generation=submission.generation, count=lambda **_: None)
    return replace(submission, queue=Messages(work, fault))  # type: ignore[arg-type]


def failing(deployment: Deployment, error: ImagetrailError) -> Submission:
    def model(_: ImageRequest) -> ModelOutput:
        raise error

    return with_queue(with_model(deployment, model, "bedrock/core"))


def painting(deployment: Deployment) -> Submission:
    return with_queue(with_model(deployment, procedural.generate, "bedrock/core"))


@pytest.mark.parametrize("prefer", ["", "respond-async", "wait=5"])
@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (GenerateRequest(prompt="x", model="nope"), Invalid),
        (GenerateRequest.model_validate({"prompt": "x", "dataset_id": str(uuid4())}), Invalid),
        (GenerateRequest(prompt="x" * 10_000, model="bedrock/core", style="y" * 200), Invalid),
    ],
    ids=["model", "dataset", "prompt too long for the model"],
)
def test_a_refused_request_frees_its_key(
    deployment: Deployment, caller: Caller, refused: GenerateRequest, error: type[Exception], prefer: str
) -> None:
    submission = painting(deployment)
    for _ in range(2):
        with pytest.raises(error):
            submit(submission, caller, request=refused, prefer=prefer)
    done = submit(submission, caller, request=CORRECTED, prefer=prefer)
    assert not done.is_replay
    assert submit(submission, caller, request=CORRECTED, prefer=prefer).record["id"] == done.record["id"]
    with pytest.raises(KeyReused):
        submit(submission, caller, request=REQUEST, prefer=prefer)
    assert [record["prompt"] for record in records_of(deployment, caller)] == [CORRECTED.prompt]


@pytest.mark.parametrize("prefer", ["", "respond-async", "wait=5"])
@pytest.mark.parametrize(
    ("limits", "error"),
    [({"USER_DAILY_QUOTA": "1"}, QuotaExhausted), ({"MONTHLY_BUDGET_USD": "0.000001"}, BudgetExhausted)],
    ids=["quota", "budget"],
)
def test_an_exhausted_account_frees_the_key(
    deployed: Callable[..., Deployment], caller: Caller, limits: Mapping[str, str], error: type[Exception], prefer: str
) -> None:
    limited, free = deployed(**limits), deployed()
    if error is QuotaExhausted:
        submit(painting(limited), caller, key=None)
    with pytest.raises(error):
        submit(painting(limited), caller, prefer=prefer)
    assert not submit(painting(free), caller, request=CORRECTED, prefer=prefer).is_replay


@pytest.mark.parametrize("prefer", ["", "respond-async", "wait=5"])
@pytest.mark.parametrize("error", [ModelFailed("busy"), Blocked("never")], ids=["failed", "blocked"])
@pytest.mark.parametrize("request_", [REQUEST, CORRECTED], ids=["same body", "another body"])
def test_an_uncharged_failure_frees_the_key_however_late(
    deployment: Deployment, caller: Caller, error: ImagetrailError, prefer: str, request_: GenerateRequest
) -> None:
    if prefer == "respond-async":
        failed = submit(failing(deployment, error), caller, prefer=prefer).record["id"]
    else:
        with pytest.raises(type(error)):
            submit(failing(deployment, error), caller, prefer=prefer)
        failed = records_of(deployment, caller)[0]["id"]
    done = submit(painting(deployment), caller, request=request_, prefer=prefer)
    assert (done.is_replay, done.record["id"] == failed) == (False, False)
    statuses = sorted(record["status"] for record in records_of(deployment, caller))
    assert statuses == ["blocked" if isinstance(error, Blocked) else "failed", "succeeded"]


@pytest.mark.parametrize("prefer", ["", "respond-async", "wait=5"])
@pytest.mark.parametrize(
    ("error", "kind"), [(Unanswered(), ModelFailed), (Blocked(charged=True), Blocked)], ids=["unanswered", "blocked"]
)
def test_a_failure_that_may_have_been_paid_keeps_the_key(
    deployment: Deployment, caller: Caller, error: ImagetrailError, kind: type[ImagetrailError], prefer: str
) -> None:
    if prefer == "respond-async":
        submit(failing(deployment, error), caller, prefer=prefer)
    else:
        with pytest.raises(kind):
            submit(failing(deployment, error), caller, prefer=prefer)
    with pytest.raises(kind):
        submit(painting(deployment), caller, prefer=prefer)
    with pytest.raises(KeyReused):
        submit(painting(deployment), caller, request=CORRECTED, prefer=prefer)
    assert len(records_of(deployment, caller)) == 1


def test_what_waited_too_long_in_the_queue_frees_its_key(deployment: Deployment, caller: Caller) -> None:
    ignored = replace(deployment.submission, queue=Messages())  # type: ignore[arg-type]
    first = submit(ignored, caller, prefer="respond-async").record["id"]
    assert submit(ignored, caller, prefer="respond-async").record["id"] == first
    with pytest.raises(KeyReused):
        submit(ignored, caller, request=CORRECTED, prefer="respond-async")
    replace(deployment.sweep, now=lambda: datetime.now(UTC) + PATIENCE + timedelta(minutes=1)).run()
    assert submit(painting(deployment), caller, request=CORRECTED).record["status"] == "succeeded"


class AwayDynamo(Dynamo):
    """Tables of which one operation fails, from its turn on."""

    operation, table, passing = "", "", 0

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if operation == self.operation and request.get("TableName") == self.table:
            self.passing -= 1
            if self.passing < 0:
                raise Unavailable
        return super()._call(operation, request)


def test_a_release_that_is_lost_frees_the_key_when_the_process_must_be_gone(
    deployment: Deployment, environment: dict[str, str], caller: Caller
) -> None:
    with closing(Deployment(Settings.from_environment(environment))) as faulty:
        dynamo = AwayDynamo(faulty._endpoint("dynamodb"))
        dynamo.operation, dynamo.table = "DeleteItem", faulty.settings.ledger_table
        faulty.dynamo = dynamo
        with pytest.raises(Invalid):
            submit(faulty.submission, caller, request=GenerateRequest(prompt="x", model="nope"))
    with pytest.raises(InProgress):
        submit(deployment.submission, caller, request=CORRECTED)
    guard = replace(deployment.submission.guard, now=lambda: datetime.now(UTC) + timedelta(seconds=26))
    later = replace(deployment.submission, guard=guard)
    assert submit(later, caller, request=CORRECTED).record["status"] == "succeeded"


@pytest.mark.parametrize("fault", [Unavailable(), AwsError("sqs", "AccessDenied", {})], ids=["away", "refused"])
def test_a_message_whose_receipt_is_lost_is_not_paid_twice(
    deployment: Deployment, caller: Caller, fault: Exception
) -> None:
    """The worker has made the image; only the answer of the queue did not come."""
    lossy = with_queue(with_model(deployment, procedural.generate, "bedrock/core"), fault)
    done = submit(lossy, caller, prefer="wait=5")
    assert done.record["status"] == "succeeded"
    assert submit(painting(deployment), caller, prefer="wait=5").record["id"] == done.record["id"]
    assert [record["status"] for record in records_of(deployment, caller)] == ["succeeded"]


def test_what_cannot_be_taken_back_from_the_queue_keeps_its_key(
    deployment: Deployment, environment: dict[str, str], caller: Caller
) -> None:
    with closing(Deployment(Settings.from_environment(environment))) as faulty:
        dynamo = AwayDynamo(faulty._endpoint("dynamodb"))
        dynamo.operation, dynamo.table = "UpdateItem", faulty.settings.images_table
        faulty.dynamo = dynamo
        lossy = replace(faulty.submission, queue=Messages(fault=Unavailable()))  # type: ignore[arg-type]
        with pytest.raises(Unavailable) as failure:
            submit(lossy, caller, prefer="respond-async")
    assert failure.value.image_id is not None
    done = submit(painting(deployment), caller, prefer="wait=5")
    assert (done.record["id"], done.is_replay) == (failure.value.image_id, True)
    assert len(records_of(deployment, caller)) == 1


def test_regenerating_frees_a_refused_key_and_answers_again_whatever_has_changed(
    deployment: Deployment, caller: Caller
) -> None:
    first = submit(deployment.submission, caller, key=None).record

    def regenerate(image_id: str, **wish: Any) -> Any:
        return deployment.regeneration.submit(
            caller,
            image_id,
            RegenerateRequest.model_validate(wish),
            NOWHERE,
            time_left=TIME,
            preferences=Preferences(),
            key="one",
        )

    with pytest.raises(NotFound):
        regenerate(str(uuid4()))
    with pytest.raises(Invalid):
        regenerate(first["id"], model="nope")
    made = regenerate(first["id"], prompt="a tea house")
    deployment.dynamo.delete(deployment.settings.images_table, first["id"], Expression("attribute_exists(#id)"))
    for key in (image_key(first), thumbnail_key(first)):
        deployment.bucket.delete(key)
    again = regenerate(first["id"], prompt="a tea house")
    assert (again.record["id"], again.is_replay) == (made.record["id"], True)
