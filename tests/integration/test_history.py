"""The history against real tables: who sees what, paging that is complete and stable, and what a page costs."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail import cursors, moments
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.cursors import Position
from imagetrail.dynamo import Expression, to_attributes
from imagetrail.errors import Invalid, InvalidCursor, NotFound, Unauthenticated
from imagetrail.history import HistoryQuery
from imagetrail.records import index_keys
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.fault_proxy import Proxy, proxy_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Stack

START = datetime(2026, 1, 1, tzinfo=UTC)
ADMIN = Caller("root", is_admin=True)


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    with proxy_to(stack.endpoint) as proxy:
        yield proxy


@pytest.fixture
def deployed(stack: Stack, proxy: Proxy) -> Iterator[Callable[..., Deployment]]:
    """Makes deployments with some settings changed."""
    with ExitStack() as made:

        def deploy(**changes: str) -> Deployment:
            environment = {**stack.environment("ListImages"), "AWS_ENDPOINT_URL": proxy.url, **changes}
            return made.enter_context(closing(Deployment(Settings.from_environment(environment))))

        yield deploy


@pytest.fixture
def deployment(deployed: Callable[..., Deployment]) -> Deployment:
    return deployed()


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def record(caller: Caller, moment: datetime, **columns: Any) -> dict[str, Any]:
    made = {
        "id": moments.new_id(moment),
        "user_id": caller.user_id,
        "prompt": "a red fox",
        "full_prompt": "a red fox",
        "aspect_ratio": "1:1",
        "quality": "standard",
        "format": "png",
        "resolution": "1K",
        "created_at": moments.to_text(moment),
        "status": "succeeded",
        **columns,
    }
    return made | index_keys(made)


def write(stack: Stack, deployment: Deployment, records: list[dict[str, Any]]) -> list[str]:
    """Writes records as they are and returns their ids, newest first."""
    dynamo = stack.client("dynamodb")
    table = deployment.settings.images_table
    for start in range(0, len(records), 25):
        batch = [{"PutRequest": {"Item": to_attributes(item)}} for item in records[start : start + 25]]
        dynamo.batch_write_item(RequestItems={table: batch})
    days = {item["created_day"] for item in records}
    dynamo.update_item(
        TableName=deployment.settings.ledger_table,
        Key={"id": {"S": "days"}},
        UpdateExpression="ADD #days :days",
        ExpressionAttributeNames={"#days": "days"},
        ExpressionAttributeValues={":days": {"SS": sorted(days)}},
    )
    return [item["id"] for item in sorted(records, key=lambda item: item["created_at"], reverse=True)]


def walk(deployment: Deployment, caller: Caller, **filters: Any) -> list[str]:
    """All ids, page after page."""
    ids: list[str] = []
    cursor = None
    for _ in range(10_000):
        page = deployment.history.page(caller, HistoryQuery(cursor=cursor, **filters), "")
        ids += [image["id"] for image in page["images"]]
        if (cursor := page["next_cursor"]) is None:
            return ids
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("limit", [1, 3, 7, 10, 200])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_pages_are_complete_and_in_order(
    stack: Stack, deployment: Deployment, caller: Caller, limit: int, order: str
) -> None:
    ids = write(stack, deployment, [record(caller, START + timedelta(hours=n)) for n in range(10)])
    expected = ids if order == "desc" else ids[::-1]
    assert walk(deployment, caller, limit=limit, order=order) == expected


def test_records_of_the_same_microsecond_are_all_listed_once(
    stack: Stack, deployment: Deployment, caller: Caller
) -> None:
    ids = write(stack, deployment, [record(caller, START) for _ in range(9)])
    walked = walk(deployment, caller, limit=2)
    assert len(walked) == 9
    assert set(walked) == set(ids)


def test_a_walk_is_stable_while_images_arrive(stack: Stack, deployment: Deployment, caller: Caller) -> None:
    ids = write(stack, deployment, [record(caller, START + timedelta(seconds=n)) for n in range(6)])
    first = deployment.history.page(caller, HistoryQuery(limit=3), "")
    write(stack, deployment, [record(caller, START + timedelta(days=1))])
    second = deployment.history.page(caller, HistoryQuery(limit=3, cursor=first["next_cursor"]), "")
    assert [image["id"] for image in first["images"] + second["images"]] == ids


@pytest.mark.parametrize(("offset", "expected"), [(0, 4), (3, 4), (7, 3), (9, 1), (10, 0), (10_000, 0)])
def test_offset_skips_as_the_document_says(
    stack: Stack, deployment: Deployment, caller: Caller, offset: int, expected: int
) -> None:
    ids = write(stack, deployment, [record(caller, START + timedelta(seconds=n)) for n in range(10)])
    page = deployment.history.page(caller, HistoryQuery(limit=4, offset=offset), "")
    assert [image["id"] for image in page["images"]] == ids[offset : offset + 4]
    assert (page["count"], page["offset"], page["limit"]) == (expected, offset, 4)
    assert (page["next_cursor"] is None) == (offset + 4 >= 10)


def test_filters(stack: Stack, deployment: Deployment, caller: Caller) -> None:
    dataset = str(uuid4())
    other = Caller(f"user-{uuid4()}")
    mine = [
        record(caller, START),
        record(caller, START + timedelta(days=1), dataset_id=dataset),
        record(caller, START + timedelta(days=2), status="failed", error="x", dataset_id=dataset),
        record(caller, START + timedelta(days=3), status="pending", settle_by="9999"),
        record(caller, START + timedelta(days=4), deleted_at=moments.to_text(START)),
    ]
    write(stack, deployment, [*mine, record(other, START + timedelta(days=1), dataset_id=dataset)])
    plain, in_dataset, failed, pending, _deleted = (item["id"] for item in mine)
    assert walk(deployment, caller) == [in_dataset, plain]
    assert walk(deployment, caller, status="all") == [pending, failed, in_dataset, plain]
    assert walk(deployment, caller, status="failed") == [failed]
    assert walk(deployment, caller, status="pending") == [pending]
    assert walk(deployment, caller, dataset_id=dataset) == [in_dataset]
    assert walk(deployment, caller, dataset_id=dataset, status="all") == [failed, in_dataset]
    assert walk(deployment, caller, dataset_id=str(uuid4())) == []
    assert walk(deployment, caller, from_=START + timedelta(days=1)) == [in_dataset]
    assert walk(deployment, caller, to=START + timedelta(days=1)) == [plain]
    assert walk(deployment, caller, from_=START, to=START + timedelta(microseconds=1)) == [plain]


def test_an_admin_sees_everything_across_days_and_gaps(stack: Stack, deployment: Deployment, caller: Caller) -> None:
    base = datetime(2031, 3, 1, tzinfo=UTC)
    other = Caller(f"user-{uuid4()}")
    items = [record(caller if n % 2 else other, base + timedelta(days=40 * n)) for n in range(8)]
    failed = [record(caller, base + timedelta(days=40 * n, hours=1), status="failed", error="x") for n in range(8)]
    ids = write(stack, deployment, [*items, *failed])
    succeeded = [i for i in ids if i in {item["id"] for item in items}]
    window: dict[str, Any] = {"from_": base, "to": base + timedelta(days=400)}
    for limit in (1, 3, 5, 8, 50):
        assert walk(deployment, ADMIN, limit=limit, **window) == succeeded
        assert walk(deployment, ADMIN, limit=limit, order="asc", **window) == succeeded[::-1]
        assert walk(deployment, ADMIN, limit=limit, status="all", **window) == ids
    for offset in range(9):
        page = deployment.history.page(ADMIN, HistoryQuery(limit=3, offset=offset, **window), "")
        assert [image["id"] for image in page["images"]] == succeeded[offset : offset + 3], offset
    assert deployment.history.get(ADMIN, ids[0], "")["id"] == ids[0]


def test_who_sees_what(stack: Stack, deployed: Callable[..., Deployment], caller: Caller) -> None:
    unowned, everything, nothing = (deployed(ANONYMOUS_HISTORY=mode) for mode in ("unowned", "all", "none"))
    base = datetime(2035, 1, 1, tzinfo=UTC)
    window = {"from_": base, "to": base + timedelta(days=1)}
    mine = record(caller, base + timedelta(hours=1))
    nobodys = record(ANONYMOUS, base + timedelta(hours=2))
    star = record(Caller("*"), base + timedelta(hours=3))
    named_anonymous = record(Caller("anonymous"), base + timedelta(hours=4))
    write(stack, unowned, [mine, nobodys, star, named_anonymous])
    assert walk(unowned, ANONYMOUS, **window) == [nobodys["id"]]
    assert walk(everything, ANONYMOUS, **window) == [i["id"] for i in (named_anonymous, star, nobodys, mine)]
    assert walk(unowned, Caller("anonymous"), **window) == [named_anonymous["id"]]
    assert walk(unowned, Caller("*"), **window) == [star["id"]]
    assert walk(everything, caller, **window) == [mine["id"]]
    with pytest.raises(Unauthenticated):
        nothing.history.page(ANONYMOUS, HistoryQuery(), "")
    with pytest.raises(Unauthenticated):
        nothing.history.get(ANONYMOUS, nobodys["id"], "")
    for stranger, item in ((caller, star), (caller, nobodys), (ANONYMOUS, mine), (ANONYMOUS, named_anonymous)):
        with pytest.raises(NotFound):
            unowned.history.get(stranger, item["id"], "")
    assert everything.history.get(ANONYMOUS, mine["id"], "")["user_id"] == caller.user_id
    assert unowned.history.get(ANONYMOUS, nobodys["id"], "")["user_id"] is None


def test_a_cursor_is_bound_to_its_caller_and_filters(stack: Stack, deployment: Deployment, caller: Caller) -> None:
    write(stack, deployment, [record(caller, START + timedelta(seconds=n)) for n in range(3)])
    cursor = deployment.history.page(caller, HistoryQuery(limit=1), "")["next_cursor"]
    deployment.history.page(caller, HistoryQuery(limit=2, cursor=cursor), "")
    foreign: list[tuple[Caller, dict[str, Any]]] = [
        (Caller("mallory"), {}),
        (ANONYMOUS, {}),
        (Caller(caller.user_id, is_admin=True), {}),
        (caller, {"status": "all"}),
        (caller, {"order": "asc"}),
        (caller, {"dataset_id": str(uuid4())}),
        (caller, {"from_": START}),
        (caller, {"to": START}),
    ]
    for stranger, filters in foreign:
        with pytest.raises(InvalidCursor):
            deployment.history.page(stranger, HistoryQuery(cursor=cursor, **filters), "")
    with pytest.raises(Invalid):
        deployment.history.page(caller, HistoryQuery(cursor=cursor, offset=1), "")


def test_a_page_costs_a_page(stack: Stack, deployment: Deployment, proxy: Proxy, caller: Caller) -> None:
    """With 5,100 records of about 1.5 KB: one call for a page, wherever it is; an offset reads what it skips."""
    text = "x" * 500
    write(
        stack,
        deployment,
        [record(caller, START + timedelta(seconds=n), prompt=text, full_prompt=text + text) for n in range(5_100)],
    )

    def cost(**query: Any) -> tuple[int, dict[str, Any]]:
        proxy.seen.clear()
        page = deployment.history.page(caller, HistoryQuery(**query), "")
        return len(proxy.seen), page

    calls, page = cost()
    assert (calls, page["count"]) == (1, 50)
    for _ in range(18):
        page = deployment.history.page(caller, HistoryQuery(cursor=page["next_cursor"]), "")
    calls, page = cost(cursor=page["next_cursor"])
    assert (calls, page["count"]) == (1, 50)
    calls, page = cost(offset=5_000)
    assert page["count"] == 50
    assert calls <= 12, "5,000 records of 1.8 KB are 9 MB: nine full reads of 1 MB, and the page"


def test_a_filter_over_much_stays_within_a_budget(stack: Stack, deployment: Deployment, proxy: Proxy) -> None:
    """An admin who looks for a rare failure gets short pages and a cursor, never a request without bound."""
    base = datetime(2040, 1, 1, tzinfo=UTC)
    user = Caller(f"user-{uuid4()}")
    items = [record(user, base + timedelta(seconds=n)) for n in range(3_000)]
    rare = record(user, base, status="failed", error="x")
    write(stack, deployment, [*items, rare])
    window: dict[str, Any] = {"from_": base, "to": base + timedelta(days=1), "status": "failed", "limit": 10}
    proxy.seen.clear()
    page = deployment.history.page(ADMIN, HistoryQuery(**window), "")
    assert len(proxy.seen) <= 9
    assert page["next_cursor"] is not None
    assert walk(deployment, ADMIN, **window) == [rare["id"]]


def test_the_same_record_by_id_and_in_the_list(stack: Stack, deployment: Deployment, caller: Caller) -> None:
    (image_id,) = write(stack, deployment, [record(caller, START, image_url="/images/x.png", cost_usd=0.04)])
    (listed,) = deployment.history.page(caller, HistoryQuery(), "https://example.org")["images"]
    assert listed == deployment.history.get(caller, image_id, "https://example.org")
    assert listed["image_url"] == "https://example.org/images/x.png"
    assert (listed["cost_usd"], listed["favorite"], listed["dataset_id"]) == (0.04, False, None)


def test_expression_placeholders_cover_every_name(deployment: Deployment) -> None:
    """A stray word in an expression is an error of DynamoDB: the smallest possible query proves the plumbing."""
    page = deployment.dynamo.query(
        deployment.settings.images_table,
        "idx_generated_images_user_id",
        Expression("#owner = :owner", {"owner": "user:nobody"}),
        newest_first=True,
        limit=1,
    )
    assert (page.items, page.last) == ([], None)


def test_a_page_of_long_prompts_is_shorter_than_an_answer_may_be(
    stack: Stack, deployment: Deployment, caller: Caller
) -> None:
    """Lambda refuses answers over 6 MB, in which the JSON is a string."""
    prompt = "😀" * 10_000
    texts = {"prompt": prompt, "full_prompt": prompt, "negative_prompt": prompt}
    ids = write(stack, deployment, [record(caller, START + timedelta(seconds=n), **texts) for n in range(60)])
    page = deployment.history.page(caller, HistoryQuery(limit=200), "")
    assert 20 < page["count"] < 60
    assert len(json.dumps({"body": json.dumps(page, ensure_ascii=False)}, ensure_ascii=False).encode()) < 6_000_000
    assert walk(deployment, caller, limit=200) == ids


def test_a_cursor_outside_the_range_is_refused(deployment: Deployment, caller: Caller) -> None:
    query = HistoryQuery(from_=START, to=START + timedelta(days=1))
    bounds = (moments.to_text(START), moments.to_text(query.to or START))
    scope = (caller.owner, "own", None, "succeeded", None, "desc", *bounds)
    for moment in (START - timedelta(seconds=1), START + timedelta(days=1), datetime(2099, 1, 1, tzinfo=UTC)):
        forged = cursors.encode(Position(moments.to_text(moment), str(uuid4())), scope)
        with pytest.raises(InvalidCursor):
            deployment.history.page(caller, replace(query, cursor=forged), "")
    inside = cursors.encode(Position(moments.to_text(START), str(uuid4())), scope)
    assert deployment.history.page(caller, replace(query, cursor=inside), "")["images"] == []
