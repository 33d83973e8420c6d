"""Quotas and the budget against a real table: exact under any number of requests at once, private, and told apart."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.accounts import Account, ExhaustedError
from imagetrail.allowances import Limits, rate_limit_headers, source_of
from imagetrail.callers import ANONYMOUS, Caller, Origin
from imagetrail.errors import Blocked, BudgetExhausted, ImagetrailError, ModelFailed, QuotaExhausted, Unavailable
from imagetrail.generation import Generation
from imagetrail.history import HistoryQuery
from imagetrail.models import ImageRequest, ModelOutput, Unanswered, procedural
from imagetrail.models.catalog import Catalog
from imagetrail.models.connecting import vendor_key
from imagetrail.s3 import Bucket
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Stack

LEFT = timedelta(seconds=10)
REQUEST = GenerateRequest(prompt="a lighthouse", format="jpg")


@pytest.fixture
def deployed(stack: Stack) -> Iterator[Callable[..., Deployment]]:
    """Makes deployments with some settings changed."""
    with ExitStack() as made:

        def deploy(**changes: str) -> Deployment:
            environment = {**stack.environment("GenerateImage"), **changes}
            return made.enter_context(closing(Deployment(Settings.from_environment(environment))))

        yield deploy


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def with_model(deployment: Deployment, model: Callable[[ImageRequest], ModelOutput], name: str) -> Generation:
    """The deployment's generation, with one model in the place of a vendor's."""
    return Generation(
        ledger=deployment.ledger,
        bucket=deployment.bucket,
        datasets=deployment.datasets,
        load=lambda _: [],
        catalog=Catalog(name, lambda _: model),
        limits=deployment.limits,
        embed_prompt=True,
        executor=deployment.executor,
    )


def test_two_hundred_at_once_get_exactly_the_twenty(deployed: Callable[..., Deployment]) -> None:
    accounts = deployed().ledger.accounts
    now = datetime.now(UTC)
    account = Account(id=f"quota test {uuid4()}", limit=20, resets_at=now + timedelta(days=1))
    outcomes: Counter[str] = Counter()

    def reserve() -> None:
        try:
            accounts.reserve(account, str(uuid4()), 1, now + LEFT, now)
            outcomes["taken"] += 1
        except ExhaustedError:
            outcomes["refused"] += 1

    threads = [threading.Thread(target=reserve) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"taken": 20, "refused": 180}
    assert accounts.balance(account).left == 0


def test_settling_twice_is_settling_once(deployed: Callable[..., Deployment]) -> None:
    accounts = deployed().ledger.accounts
    now = datetime.now(UTC)
    account = Account(id=f"budget test {uuid4()}", limit=100, resets_at=now + timedelta(days=1))
    for _ in range(2):
        assert accounts.reserve(account, "one", 60, now + LEFT, now).left == 40
    for _ in range(2):
        accounts.settle(account.id, "one", 60, 25)
    assert accounts.balance(account).left == 75
    with pytest.raises(ExhaustedError):
        accounts.reserve(account, "two", 76, now + LEFT, now)


def test_anonymous_callers_are_counted_by_their_address(deployed: Callable[..., Deployment], stack: Stack) -> None:
    deployment = deployed(ANONYMOUS_DAILY_QUOTA="1")
    one, other = Origin(f"2001:db8:{uuid4().hex[:4]}::1"), Origin(f"198.51.100.{uuid4().int % 250}")
    deployment.generation.generate(ANONYMOUS, REQUEST, LEFT, one)
    deployment.generation.generate(ANONYMOUS, REQUEST, LEFT, other)
    neighbour = Origin(one.address.replace("::1", "::2"))
    with pytest.raises(QuotaExhausted) as refused:
        deployment.generation.generate(ANONYMOUS, REQUEST, LEFT, neighbour)
    assert refused.value.headers["ratelimit"].startswith('"daily";r=0;t=')
    assert deployment.usage.of(ANONYMOUS, one)["daily_images"]["left"] == 0
    items = stack.client("dynamodb").scan(TableName=deployment.settings.ledger_table)["Items"]
    assert one.address not in str(items)
    assert other.address not in str(items)


def test_the_edge_tells_the_address_only_with_its_key() -> None:
    limits = Limits(
        user_daily_quota=0,
        anonymous_daily_quota=5,
        monthly_budget_usd=Decimal(0),
        source_key=lambda: "key",
    )
    now = datetime.now(UTC)

    def account(origin: Origin) -> str:
        daily = limits.daily(ANONYMOUS, origin, now)
        assert daily is not None
        return daily.id

    proven = account(Origin("10.0.0.1", "key", "203.0.113.9"))
    assert proven == account(Origin("203.0.113.9"))
    assert account(Origin("10.0.0.1", "forged", "203.0.113.9")) == account(Origin("10.0.0.1")) != proven
    assert source_of("203.0.113.9", "key") != source_of("203.0.113.9", "other key")


def test_the_budget_ends_the_month(deployed: Callable[..., Deployment], caller: Caller) -> None:
    deployment = deployed(MONTHLY_BUDGET_USD="0.1")
    month = datetime(2031, 1, 31, 23, 59, 0, tzinfo=UTC)
    made = with_model(deployment, procedural.generate, "bedrock")
    object.__setattr__(made, "now", lambda: month)
    records = [made.generate(caller, REQUEST, LEFT)[0] for _ in range(2)]
    assert [record["cost_usd"] for record in records] == [0.04, 0.04]
    with pytest.raises(BudgetExhausted) as refused:
        made.generate(caller, REQUEST, LEFT)
    assert (refused.value.code, refused.value.retry_after) == ("budget_exhausted", 61)
    budget = deployment.limits.monthly(month)
    assert budget is not None
    assert deployment.ledger.accounts.balance(budget).left == 20_000


@pytest.mark.parametrize(
    ("error", "cost"),
    [(ModelFailed("no"), 0.0), (Unanswered(), 0.04), (Blocked(charged=True), 0.04), (Blocked(), 0.0)],
)
def test_a_failure_costs_what_its_vendor_may_have_taken(
    deployed: Callable[..., Deployment], caller: Caller, error: ImagetrailError, cost: float
) -> None:
    deployment = deployed(MONTHLY_BUDGET_USD="1000", USER_DAILY_QUOTA="5")

    def model(_: ImageRequest) -> ModelOutput:
        raise error

    budget = deployment.limits.monthly(datetime.now(UTC))
    assert budget is not None
    before = deployment.ledger.accounts.balance(budget).used
    with pytest.raises(type(error)):
        with_model(deployment, model, "bedrock/core").generate(caller, REQUEST, LEFT)
    assert error.image_id is not None
    assert deployment.history.get(caller, error.image_id, "")["cost_usd"] == cost
    assert deployment.ledger.accounts.balance(budget).used - before == round(cost * 1_000_000)
    assert deployment.usage.of(caller, Origin())["daily_images"]["used"] == 0


def test_another_model_steps_in_only_where_nothing_was_charged(
    deployed: Callable[..., Deployment], caller: Caller
) -> None:
    deployment = deployed()
    asked: list[str] = []

    def connect(error: ModelFailed) -> Callable[[str], Any]:
        def connected(name: str) -> Any:
            def model(request: ImageRequest) -> ModelOutput:
                asked.append(name)
                if name.startswith("stability-rest"):
                    raise error
                return procedural.generate(request)

            return model

        return connected

    def generation(error: ModelFailed) -> Generation:
        made = with_model(deployment, procedural.generate, "procedural")
        object.__setattr__(made, "catalog", Catalog("stability-rest,bedrock", connect(error)))
        return made

    record, _ = generation(ModelFailed("no")).generate(caller, REQUEST, LEFT)
    assert asked == ["stability-rest/core", "bedrock/core"]
    assert (record["model"], record["cost_usd"]) == ("bedrock/core", 0.04)
    asked.clear()
    with pytest.raises(Unanswered):
        generation(Unanswered()).generate(caller, REQUEST, LEFT)
    assert asked == ["stability-rest/core"]


def test_what_is_left_is_told(deployed: Callable[..., Deployment], caller: Caller) -> None:
    deployment = deployed(USER_DAILY_QUOTA="3", MONTHLY_BUDGET_USD="10")
    _, balances = deployment.generation.generate(caller, REQUEST, LEFT)
    headers = rate_limit_headers(balances, datetime.now(UTC))
    assert headers["ratelimit-policy"] == '"daily";q=3;w=86400'
    assert headers["ratelimit"].startswith('"daily";r=2;t=')
    usage = deployment.usage.of(caller, Origin())
    assert (usage["daily_images"]["left"], "monthly_budget_usd" in usage) == (2, False)
    assert deployment.usage.of(Caller("root", is_admin=True), Origin())["monthly_budget_usd"]["limit"] == 10
    assert deployed().usage.of(caller, Origin()) == {"daily_images": None}


class Away(Bucket):
    """A bucket that takes nothing."""

    def put(self, *_: Any, **__: Any) -> None:
        raise Unavailable


def test_a_picture_that_was_paid_for_and_lost_is_in_the_costs(
    deployed: Callable[..., Deployment], caller: Caller
) -> None:
    deployment = deployed()
    s = deployment.settings
    made = with_model(deployment, procedural.generate, "bedrock/core")
    with closing(Away(s.bucket, s.region, deployment.credentials, s.endpoint_url)) as away:
        object.__setattr__(made, "bucket", away)
        with pytest.raises(Unavailable) as failure:
            made.generate(caller, REQUEST, LEFT)
    record = deployment.history.get(caller, str(failure.value.image_id), "")
    assert (record["status"], record["cost_usd"]) == ("failed", 0.04)


def test_a_call_that_a_defect_or_a_kill_ended_may_have_been_paid(
    deployed: Callable[..., Deployment], caller: Caller
) -> None:
    deployment = deployed()

    def defect(_: ImageRequest) -> ModelOutput:
        raise RuntimeError("a defect")

    class KilledError(BaseException):
        pass

    def killed(_: ImageRequest) -> ModelOutput:
        raise KilledError

    with pytest.raises(RuntimeError):
        with_model(deployment, defect, "bedrock/core").generate(caller, REQUEST, LEFT)
    with pytest.raises(KilledError):
        with_model(deployment, killed, "bedrock/core").generate(caller, REQUEST, LEFT)
    later = datetime.now(UTC) + timedelta(hours=1)
    replace(deployment.sweep, now=lambda: later).run()
    records = deployment.history.page(caller, HistoryQuery(status="failed"), "")["images"]
    assert [record["cost_usd"] for record in records] == [0.04, 0.04]


def test_a_key_that_cannot_be_read_costs_nothing(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    for name, value in stack.environment("GenerateImage").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ModelFailed) as failure:
        vendor_key("no such secret")()
    assert not failure.value.charged
