"""Past costs from today's prices: what changes, what never does, and what happens meanwhile."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from cli.recost import Recost, known_models
from imagetrail.callers import Caller
from imagetrail.dynamo import Expression, assignment
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.test_history import record, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import Stack

_NUMBERS = count()
MODEL = "stability-rest/core"


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    with closing(Deployment(Settings.from_environment(stack.environment("SettlePending")))) as deployment:
        yield deployment


@pytest.fixture
def day() -> datetime:
    """A day of its own for each test, and those after it: the shared tables hold others' records."""
    return datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=10 * next(_NUMBERS))


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def doubled(record: Mapping[str, Any], _model: str) -> float:
    return float(record.get("cost_usd") or 0.25) * 2


def five_cents(_record: Mapping[str, Any], _model: str) -> float:
    return 0.05


def costs(deployment: Deployment, ids: list[str]) -> list[float | None]:
    table = deployment.settings.images_table
    found = [deployment.dynamo.get(table, image_id, consistent=True) or {} for image_id in ids]
    return [record.get("cost_usd") for record in found]


def test_only_what_was_charged_is_priced_again_and_only_when_told(
    stack: Stack, deployment: Deployment, caller: Caller, day: datetime
) -> None:
    charged = {"model": MODEL, "cost_usd": 0.03}
    ids = write(
        stack,
        deployment,
        [
            record(caller, day, **charged),
            record(caller, day + timedelta(hours=1), status="failed", **charged),
            record(caller, day + timedelta(hours=2), status="blocked", model=MODEL, cost_usd=0.0),
            record(caller, day + timedelta(hours=3), status="failed", model=MODEL),
            record(caller, day + timedelta(hours=4), status="pending", model=MODEL, settle_by="1990"),
            record(caller, day + timedelta(hours=5), model="gone", cost_usd=0.5),
            record(caller, day + timedelta(days=1), model=MODEL),
            record(caller, day + timedelta(days=2), **charged),
        ],
    )[::-1]
    before = costs(deployment, ids)
    shares: list[float] = []

    def price(record: Mapping[str, Any], model: str) -> float:
        if model == "gone":
            raise LookupError
        return five_cents(record, model)

    def run(*, apply: bool) -> dict[str, tuple[int, int, int, Decimal, Decimal]]:
        last = day + timedelta(days=1)
        sums = Recost(deployment=deployment, apply=apply, price=price).run(day, last, shares.append)
        return {name: (s.records, s.changed, s.unpriced, s.before, s.after) for name, s in sums.items()}

    gone = (1, 0, 1, Decimal("0.5"), Decimal("0.5"))
    found = {MODEL: (5, 3, 0, Decimal("0.06"), Decimal("0.15")), "gone": gone}
    assert run(apply=False) == found
    assert costs(deployment, ids) == before
    assert run(apply=True) == found
    assert costs(deployment, ids) == [0.05, 0.05, 0.0, None, None, 0.5, 0.05, 0.03]
    assert run(apply=True) == {MODEL: (5, 0, 0, Decimal("0.15"), Decimal("0.15")), "gone": gone}
    assert shares == [0.5, 1.0] * 3


def test_one_model_or_one_vendor(stack: Stack, deployment: Deployment, caller: Caller, day: datetime) -> None:
    names = (MODEL, "stability-rest/ultra", "gemini")
    ids = write(stack, deployment, [record(caller, day, model=name, cost_usd=1.0) for name in names])
    for model in ("gemini", "stability-rest", MODEL, "stability"):
        Recost(deployment=deployment, model=model, apply=True, price=doubled).run(day, day, lambda _: None)
    assert sorted(costs(deployment, ids), key=str) == [2.0, 2.0, 4.0]


def test_a_change_meanwhile_is_not_lost_and_found_by_the_next_pass(
    stack: Stack, deployment: Deployment, caller: Caller, day: datetime
) -> None:
    (image_id,) = write(stack, deployment, [record(caller, day, model=MODEL, cost_usd=0.03)])
    table = deployment.settings.images_table

    def interrupted(_record: Mapping[str, Any], _model: str) -> float:
        change = assignment({"cost_usd": 0.07, "favorite": True})
        deployment.dynamo.update(table, image_id, change, Expression("attribute_exists(#id)"))
        return 0.05

    sums = Recost(deployment=deployment, apply=True, price=interrupted).run(day, day, lambda _: None)
    assert (sums[MODEL].changed, sums[MODEL].missed) == (0, 1)
    assert costs(deployment, [image_id]) == [0.07]
    Recost(deployment=deployment, apply=True, price=five_cents).run(day, day, lambda _: None)
    kept = deployment.dynamo.get(table, image_id, consistent=True) or {}
    assert (kept["cost_usd"], kept["favorite"]) == (0.05, True)


def test_an_erased_record_does_not_come_back(
    stack: Stack, deployment: Deployment, caller: Caller, day: datetime
) -> None:
    (image_id,) = write(stack, deployment, [record(caller, day, model=MODEL, cost_usd=0.03)])
    table = deployment.settings.images_table

    def erased(_record: Mapping[str, Any], _model: str) -> float:
        deployment.dynamo.delete(table, image_id, Expression("attribute_exists(#id)"))
        return 0.05

    Recost(deployment=deployment, apply=True, price=erased).run(day, day, lambda _: None)
    assert deployment.dynamo.get(table, image_id, consistent=True) is None


def test_a_day_of_many_pages_is_walked_whole(
    stack: Stack, deployment: Deployment, caller: Caller, day: datetime
) -> None:
    made = [record(caller, day + timedelta(seconds=60 * n), model=MODEL, cost_usd=0.03) for n in range(1100)]
    write(stack, deployment, made)
    shares: list[float] = []
    sums = Recost(deployment=deployment, price=five_cents).run(day, day, shares.append)
    assert (sums[MODEL].records, sums[MODEL].after) == (1100, Decimal("55.00"))
    assert shares == sorted(shares)
    assert len(shares) == 3
    assert shares[-1] == 1.0


def test_a_record_that_cannot_be_read_is_named_and_left_as_it_is(
    stack: Stack, deployment: Deployment, caller: Caller, day: datetime
) -> None:
    charged = {"model": MODEL, "cost_usd": 0.03}
    fine, broken = write(stack, deployment, [record(caller, day, **charged), record(caller, day, **charged)])
    table = deployment.settings.images_table
    change = assignment({"cost_usd": "lots", "quality": 3})
    deployment.dynamo.update(table, broken, change, Expression("attribute_exists(#id)"))
    recosting = Recost(deployment=deployment, apply=True, price=five_cents)
    sums = recosting.run(day, day, lambda _: None)
    assert (sums[MODEL].records, sums[MODEL].changed) == (1, 1)
    assert recosting.illegible == {broken: ["quality", "cost_usd"]}
    assert costs(deployment, [fine, broken]) == [0.05, "lots"]


def test_models_are_known_by_their_price_or_their_offer(deployment: Deployment) -> None:
    known = known_models(deployment)
    assert {"procedural", "stability", "stability-rest", MODEL, "gemini", "bedrock"} <= known
    assert not {"nosuch", "", "stability-rest/nosuch"} & known
