"""A process killed at any request, also the sweep: the budget has used what the records of the month cost."""

from __future__ import annotations

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.allowances import budgets, micros
from imagetrail.callers import NOWHERE, Caller
from imagetrail.dynamo import Dynamo, Expression
from imagetrail.errors import Blocked, ImagetrailError, ModelFailed, Unavailable
from imagetrail.history import BY_OWNER
from imagetrail.models import ImageRequest, ModelOutput, Unanswered, procedural
from imagetrail.models.catalog import Catalog
from imagetrail.preferences import Preferences
from imagetrail.s3 import Bucket
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.tombstones import tombstone
from imagetrail.wiring import Deployment
from imagetrail.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from imagetrail.aws import Reply
    from imagetrail.dynamo import Item
    from tests.conftest import Stack

    Scenario = Callable[[Deployment, Caller, "Life"], None]

REQUEST = GenerateRequest(prompt="a lighthouse", format="jpg")
LEFT = timedelta(seconds=20)


def later() -> datetime:
    """When every hold is overdue."""
    return datetime.now(UTC) + timedelta(hours=2)


class KilledError(BaseException):
    """The process ends here."""


class Life:
    """So many requests, before or after the last of which the process ends; shared by all of its threads."""

    def __init__(self, left: int, *, after: bool) -> None:
        self._left, self._after, self._lock = left, after, threading.Lock()

    def __call__(self, request: Callable[[], Any]) -> Any:
        with self._lock:
            self._left -= 1
            left = self._left
        if left > 0:
            return request()
        if left == 0 and self._after:
            request()
        raise KilledError


class MortalDynamo(Dynamo):
    life: Life
    began: threading.Event
    images_table: str

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self.life(lambda: super(MortalDynamo, self)._call(operation, request))
        finally:
            if operation == "PutItem" and request["TableName"] == self.images_table:
                self.began.set()
        return answer


class LateExecutor(ThreadPoolExecutor):
    """Begins nothing before the record of a generation is written: what runs side by side with that comes last."""

    def __init__(self, began: threading.Event) -> None:
        super().__init__(4)
        self._began = began

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        def late() -> Any:
            self._began.wait(10)
            return function(*arguments, **named)

        return super().submit(late)


class MortalBucket(Bucket):
    life: Life

    def exchange(
        self, method: str, key: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        reply: Reply = self.life(lambda: super(MortalBucket, self).exchange(method, key, query, headers, body))
        return reply


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return Settings.from_environment(
        {**stack.environment("GenerateImage"), "MONTHLY_BUDGET_USD": "1000", "USER_DAILY_QUOTA": "100"}
    )


@pytest.fixture
def deployment(settings: Settings) -> Iterator[Deployment]:
    with closing(Deployment(settings)) as deployment:
        deployment.dynamo.delete_many(settings.ledger_table, budgets(datetime.now(UTC)))
        yield deployment


def mortal(settings: Settings, life: Life, *, record_first: bool = False) -> Deployment:
    """A process that will be killed. `record_first` writes a record before it reserves what the record draws on."""
    process = Deployment(settings)
    dynamo = MortalDynamo(process._endpoint("dynamodb"))
    bucket = MortalBucket(settings.bucket, settings.region, process.credentials, settings.endpoint_url)
    dynamo.life = bucket.life = life
    dynamo.began, dynamo.images_table = threading.Event(), settings.images_table
    process.dynamo, process.bucket = dynamo, bucket
    if record_first:
        process.executor = process._closing.enter_context(LateExecutor(dynamo.began))
    process._closing.callback(bucket.close)
    return process


def generating(process: Deployment, models: str, answers: Mapping[str, BaseException]) -> Deployment:
    """The process with these models; each answers as told, or paints."""

    def connect(name: str) -> Callable[[ImageRequest], ModelOutput]:
        def model(request: ImageRequest) -> ModelOutput:
            if name in answers:
                raise answers[name]
            return procedural.generate(request)

        return model

    process.generation = replace(process.generation, catalog=Catalog(models, connect))
    return process


def submit(process: Deployment, caller: Caller, prefer: str = "", sent: Callable[[str], None] | None = None) -> None:
    class Messages:
        def send(self, image_id: str) -> None:
            assert sent is not None
            sent(image_id)

    submission = replace(process.submission, queue=Messages())  # type: ignore[arg-type]
    with suppress(ImagetrailError):
        submission.submit(
            caller, REQUEST, NOWHERE, time_left=LEFT, preferences=Preferences.parse(prefer), key=str(uuid4())
        )


def _made(process: Deployment, caller: Caller, _life: Life) -> None:
    submit(generating(process, "bedrock/core", {}), caller)


def _refused_by_the_model(process: Deployment, caller: Caller, _life: Life) -> None:
    submit(generating(process, "bedrock/core", {"bedrock/core": Blocked()}), caller)


def _failed_and_perhaps_paid(process: Deployment, caller: Caller, _life: Life) -> None:
    submit(generating(process, "bedrock/core", {"bedrock/core": Unanswered()}), caller)


def _made_by_the_second_model(process: Deployment, caller: Caller, _life: Life) -> None:
    answers = {"stability-rest/ultra": ModelFailed("no")}
    submit(generating(process, "stability-rest/ultra,bedrock/core", answers), caller)


def _queued(process: Deployment, caller: Caller, life: Life) -> None:
    sent: list[str] = []
    generating(process, "bedrock/core", {})
    submit(process, caller, "respond-async", lambda image_id: life(lambda: sent.append(image_id)))
    Worker(generation=process.generation, count=lambda **_: None).run({"m": sent[0]}, LEFT)


def _queue_away(process: Deployment, caller: Caller, _life: Life) -> None:
    """The message may have got through: a worker may take it."""
    sent: list[str] = []

    def send(image_id: str) -> None:
        sent.append(image_id)
        raise Unavailable

    submit(generating(process, "bedrock/core", {}), caller, "respond-async", send)
    Worker(generation=process.generation, count=lambda **_: None).run({"m": sent[0]}, LEFT)


SCENARIOS = [_made, _refused_by_the_model, _failed_and_perhaps_paid, _made_by_the_second_model, _queued, _queue_away]


def records_of(deployment: Deployment, caller: Caller) -> list[Item]:
    key = Expression("#owner = :owner", {"owner": caller.owner})
    table = deployment.settings.images_table
    return deployment.dynamo.query(table, BY_OWNER, key, newest_first=True, limit=100).items


def used(deployment: Deployment) -> int:
    """Of the budget; it holds nothing."""
    ledger = deployment.settings.ledger_table
    months = [deployment.dynamo.get(ledger, budget, consistent=True) or {} for budget in budgets(datetime.now(UTC))]
    assert not [name for month in months for name in month if name.startswith("hold ")]
    return sum(month.get("used", 0) for month in months)


def assert_agreement(deployment: Deployment, caller: Caller) -> None:
    """The budget has used what the caller's records cost, who alone drew on it, and holds nothing."""
    records = records_of(deployment, caller)
    assert {record["status"] for record in records} <= {"succeeded", "failed", "blocked"}
    assert used(deployment) == sum(micros(record["cost_usd"]) for record in records), records


@pytest.mark.parametrize(
    ("scenario", "record_first"),
    [(_made, False), *((scenario, True) for scenario in SCENARIOS)],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "record_first" if value else "holds_first",
)
def test_records_and_budget_agree_whenever_a_process_is_killed(
    deployment: Deployment, settings: Settings, scenario: Scenario, *, record_first: bool
) -> None:
    chance = random.Random(scenario.__name__)  # noqa: S311 (the same kills in every run)
    caller = Caller(f"user-{uuid4()}")
    survived, requests = False, 0
    while not survived:
        requests += 1
        life = Life(requests, after=chance.random() < 0.5)
        with suppress(KilledError), closing(mortal(settings, life, record_first=record_first)) as process:
            scenario(process, caller, life)
            survived = life._left > 0
        sweeping = mortal(settings, Life(chance.randrange(1, 10), after=chance.random() < 0.5))
        with suppress(KilledError), closing(sweeping):
            replace(sweeping.sweep, now=later).run()
        replace(deployment.sweep, now=later).run()
        assert_agreement(deployment, caller)
    assert requests > 6


def test_what_an_erased_user_may_have_cost_stays_in_the_budget(deployment: Deployment, settings: Settings) -> None:
    caller = Caller(f"user-{uuid4()}")
    with pytest.raises(KilledError), closing(Deployment(settings)) as process:
        submit(generating(process, "bedrock/core", {"bedrock/core": KilledError()}), caller)
    deployment.dynamo.put(
        settings.ledger_table, {"id": tombstone(caller.owner)}, Expression("attribute_not_exists(#id)")
    )
    replace(deployment.sweep, now=later).run()
    assert records_of(deployment, caller) == []
    assert used(deployment) == 40_000
