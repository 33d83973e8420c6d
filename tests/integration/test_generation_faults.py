"""Whatever fails during a generation, wherever its process is killed: a final record, no orphan, no lost quota."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.accounts import ExhaustedError
from imagetrail.callers import NOWHERE, Caller
from imagetrail.dynamo import Expression
from imagetrail.errors import Blocked, ModelFailed, QuotaExhausted, Unavailable
from imagetrail.generation import Generation
from imagetrail.history import BY_OWNER, HistoryQuery
from imagetrail.models import ImageRequest, ModelOutput, procedural
from imagetrail.models.catalog import Catalog
from imagetrail.records import image_key, thumbnail_key
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.settling import Sweep
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Fault, Proxy, proxy_to
from tests.integration.killing import killed_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Stack

QUOTA = 5
LEFT = timedelta(seconds=10)
REQUEST = GenerateRequest(prompt="a lighthouse at dawn")
STEPS = [
    "UpdateItem ledger 1",
    "PutItem images",
    "s3 PUT images",
    "s3 PUT thumbnails",
    "UpdateItem images",
    "UpdateItem ledger 2",
]


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    given = stack.environment("GenerateImage")
    with proxy_to(stack.endpoint, {given["IMAGES_TABLE"]: "images", given["LEDGER_TABLE"]: "ledger"}) as proxy:
        yield proxy


@pytest.fixture
def environment(stack: Stack, proxy: Proxy) -> dict[str, str]:
    given = stack.environment("GenerateImage")
    return {**given, "AWS_ENDPOINT_URL": proxy.url, "USER_DAILY_QUOTA": str(QUOTA)}


@pytest.fixture
def deployment(environment: dict[str, str]) -> Iterator[Deployment]:
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def sweep_later(deployment: Deployment) -> None:
    """The sweep, an hour from now."""
    Sweep(
        dynamo=deployment.dynamo,
        images_table=deployment.settings.images_table,
        ledger=deployment.ledger,
        bucket=deployment.bucket,
        tombstones=deployment.tombstones,
        versions=deployment.versions,
        now=lambda: datetime.now(UTC) + timedelta(hours=1),
    ).run()


def records_of(deployment: Deployment, caller: Caller) -> list[dict[str, Any]]:
    return deployment.dynamo.query(
        deployment.settings.images_table,
        BY_OWNER,
        Expression("#owner = :owner", {"owner": caller.owner}),
        newest_first=True,
        limit=100,
    ).items


def assert_settled(deployment: Deployment, caller: Caller) -> list[dict[str, Any]]:
    """Every record of the caller has a final status, its objects if and only if it succeeded, and its quota."""
    records = records_of(deployment, caller)
    for record in records:
        assert record["status"] in ("succeeded", "failed", "blocked")
        assert not {"unsettled", "holds"} & set(record)
        succeeded = record["status"] == "succeeded"
        assert succeeded != bool(record.get("error"))
        for key in (image_key(record), thumbnail_key(record)):
            assert (deployment.bucket.get(key) is not None) == succeeded
    assert_quota(deployment, caller, sum(record["status"] == "succeeded" for record in records))
    return records


def assert_quota(deployment: Deployment, caller: Caller, used: int) -> None:
    """Exactly the rest of the caller's quota can be drawn, an hour from now, when no hold is alive any more."""
    now, later = datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)
    account = deployment.limits.daily(caller, NOWHERE, now)
    assert account is not None
    accounts, probe = deployment.ledger.accounts, str(uuid4())
    with pytest.raises(ExhaustedError):
        accounts.reserve(account, probe, QUOTA - used + 1, later, later)
    if used < QUOTA:
        assert accounts.reserve(account, probe, QUOTA - used, later, later).left == 0
        accounts.settle(account.id, probe, QUOTA - used, 0)


def assert_no_orphans(deployment: Deployment, stack: Stack) -> None:
    """Every object in the bucket has its record."""
    keys = [
        entry["Key"]
        for entry in stack.client("s3").list_objects_v2(Bucket=deployment.settings.bucket).get("Contents", ())
    ]
    for key in keys:
        folder, _, name = key.partition("/")
        if folder in ("images", "thumbnails"):
            assert deployment.dynamo.get(deployment.settings.images_table, name.partition(".")[0]) is not None, key


@pytest.mark.parametrize("kind", ["throttle", "error", "cut before", "cut after"])
@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_fault_that_lasts_is_503_and_leaves_a_final_record(
    deployment: Deployment, proxy: Proxy, caller: Caller, stack: Stack, step: str, kind: Any
) -> None:
    proxy.inject(Fault(step, kind))
    with pytest.raises(Unavailable) as failure:
        deployment.generation.generate(caller, REQUEST, LEFT)
    assert failure.value.status == 503
    assert failure.value.retry_after
    assert "internal-table-name" not in failure.value.detail
    proxy.fault = None
    sweep_later(deployment)
    records = assert_settled(deployment, caller)
    assert_no_orphans(deployment, stack)
    assert {failure.value.image_id} <= {None, *(record["id"] for record in records)}


@pytest.mark.parametrize("kind", ["throttle", "error", "cut before", "cut after"])
def test_a_quota_that_cannot_be_settled_now_is_settled_when_its_room_is_needed(
    deployment: Deployment, proxy: Proxy, caller: Caller, kind: Any
) -> None:
    proxy.inject(Fault("UpdateItem ledger 2", kind))
    deployment.generation.generate(caller, REQUEST, LEFT)
    proxy.fault = None
    assert [record["status"] for record in assert_settled(deployment, caller)] == ["succeeded"]


@pytest.mark.parametrize("kind", ["throttle", "error", "cut before", "cut after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_passing_fault_is_not_noticed(
    deployment: Deployment, proxy: Proxy, caller: Caller, step: str, kind: Any
) -> None:
    proxy.inject(Fault(step, kind, times=2))
    deployment.generation.generate(caller, REQUEST, LEFT)
    assert [record["status"] for record in assert_settled(deployment, caller)] == ["succeeded"]


@pytest.mark.parametrize("kind", ["cut before", "cut after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_nothing_that_the_sweep_does_not_settle(
    deployment: Deployment,
    environment: dict[str, str],
    proxy: Proxy,
    caller: Caller,
    stack: Stack,
    step: str,
    kind: Any,
) -> None:
    assert killed_at(Fault(step, kind, times=1), proxy, environment, "generate_once", str(caller.user_id))
    sweep_later(deployment)
    records = assert_settled(deployment, caller)
    assert_no_orphans(deployment, stack)
    stored_before_the_kill = step in ("UpdateItem images", "UpdateItem ledger 2")
    if stored_before_the_kill:
        assert [record["status"] for record in records] == ["succeeded"], "a picture that was paid for is kept"
        assert records[0]["sha256"]
        assert records[0]["width"] == 1024


def test_s3_away_altogether_settles_at_once_and_cleans_up_later(
    deployment: Deployment, proxy: Proxy, caller: Caller
) -> None:
    proxy.inject(Fault("s3 ", "error"))
    with pytest.raises(Unavailable):
        deployment.generation.generate(caller, REQUEST, LEFT)
    (record,) = records_of(deployment, caller)
    assert record["status"] == "failed"
    proxy.fault = None
    sweep_later(deployment)
    assert_settled(deployment, caller)


def given_model(deployment: Deployment, model: Callable[[ImageRequest], ModelOutput]) -> Generation:
    return Generation(
        ledger=deployment.ledger,
        bucket=deployment.bucket,
        datasets=deployment.datasets,
        load=lambda _: [],
        catalog=Catalog("procedural", lambda _: model),
        limits=deployment.limits,
        embed_prompt=True,
        executor=deployment.executor,
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [(ModelFailed("no"), "failed"), (Blocked("never"), "blocked"), (RuntimeError("secret prompt"), "failed")],
)
def test_a_model_that_fails_is_recorded_with_its_reason(
    deployment: Deployment, caller: Caller, error: Exception, status: str
) -> None:
    def model(_: ImageRequest) -> ModelOutput:
        raise error

    with pytest.raises(type(error)):
        given_model(deployment, model).generate(caller, REQUEST, LEFT)
    (record,) = assert_settled(deployment, caller)
    assert record["status"] == status
    assert "secret prompt" not in record["error"]
    assert deployment.history.page(caller, HistoryQuery(), "")["images"] == []
    assert deployment.history.page(caller, HistoryQuery(status=status), "")["count"] == 1


def test_a_model_that_answers_rubbish_has_failed(deployment: Deployment, caller: Caller) -> None:
    def model(_: ImageRequest) -> ModelOutput:
        return ModelOutput(data=b"<svg/>", provider="p", model="m", seed=1)

    with pytest.raises(ModelFailed):
        given_model(deployment, model).generate(caller, REQUEST, LEFT)
    assert [record["status"] for record in assert_settled(deployment, caller)] == ["failed"]


def test_a_generation_that_the_sweep_gave_up_is_told_so_and_leaves_no_pixels(
    deployment: Deployment, caller: Caller, stack: Stack
) -> None:
    def slow(request: ImageRequest) -> ModelOutput:
        sweep_later(deployment)
        return procedural.generate(request)

    with pytest.raises(Unavailable):
        given_model(deployment, slow).generate(caller, REQUEST, LEFT)
    assert [record["status"] for record in assert_settled(deployment, caller)] == ["failed"]
    assert_no_orphans(deployment, stack)


def test_the_quota_is_exact_under_parallel_requests(deployment: Deployment, caller: Caller) -> None:
    outcomes: list[str] = []

    def generate() -> None:
        try:
            deployment.generation.generate(caller, REQUEST, LEFT)
            outcomes.append("made")
        except (QuotaExhausted, Unavailable) as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=generate) for _ in range(QUOTA + 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] * QUOTA + ["quota_exhausted"] * 5
    assert_settled(deployment, caller)
    with pytest.raises(QuotaExhausted) as failure:
        deployment.generation.generate(caller, REQUEST, LEFT)
    assert 0 < (failure.value.retry_after or 0) <= 86_401


def test_the_sweep_leaves_alone_what_is_still_running(deployment: Deployment, caller: Caller) -> None:
    def model(request: ImageRequest) -> ModelOutput:
        assert deployment.sweep.run().failed == 0
        return procedural.generate(request)

    given_model(deployment, model).generate(caller, REQUEST, LEFT)
    assert [record["status"] for record in assert_settled(deployment, caller)] == ["succeeded"]
