"""The emulator's queries give the same answers with ordered indexes as without."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ministack.services import dynamodb

from local.emulator.patches import ordered_indexes

PLAIN = {name: getattr(dynamodb, name) for name in ("_query", "_index_members", "_index_item")}
TABLE = "things"
CONTEXT: Any = None
SCHEMA = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in ("iS", "pS", "qS", "nN")],
    "KeySchema": [{"AttributeName": "i", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": name,
            "KeySchema": [
                {"AttributeName": "p", "KeyType": "HASH"},
                *([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else []),
            ],
            "Projection": {"ProjectionType": projection},
        }
        for name, sort, projection in (("text", "q", "ALL"), ("number", "n", "KEYS_ONLY"), ("none", "", "ALL"))
    ],
}
WORDS = st.text("ab\u00e4\U0001f98a", min_size=1, max_size=3)
NUMBERS = st.integers(-3, 3).map(str)
ITEM = st.fixed_dictionaries(
    {"i": WORDS.map(lambda text: {"S": text})},
    optional={
        "p": st.sampled_from("xy").map(lambda text: {"S": text}),
        "q": WORDS.map(lambda text: {"S": text}),
        "n": NUMBERS.map(lambda text: {"N": text}),
    },
)
CHANGES = st.lists(st.tuples(st.booleans(), ITEM), max_size=30)
CONDITIONS = st.sampled_from(
    [
        "",
        "{} = :a",
        "{} < :a",
        "{} <= :a",
        "{} > :a",
        "{} >= :a",
        "{} between :a and :b",
        "begins_with({}, :a)",
        ":a = {}",
        ":a < {}",
        ":a >= {}",
    ]
)
SHAPES = st.sampled_from(["{p} AND {s}", "({p} AND {s})", "(({p}) and ({s}))", "{s} AND {p}", "({s}) AND {p}"])


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    yield
    for name, plain in PLAIN.items():
        setattr(dynamodb, name, plain)
    dynamodb._tables.pop(TABLE, None)


def fresh_table(*, ordered: bool) -> dict[str, Any]:
    for name, plain in PLAIN.items():
        setattr(dynamodb, name, plain)
    if ordered:
        ordered_indexes.apply(CONTEXT)
    dynamodb._tables.pop(TABLE, None)
    dynamodb._create_table(json.loads(json.dumps(SCHEMA)))
    table: dict[str, Any] = dynamodb._tables[TABLE]
    return table


def walk(request: dict[str, Any]) -> list[Any]:
    """Every page of a query, and the error that ended it."""
    pages: list[Any] = []
    start = None
    while len(pages) < 50:
        status, _, body = dynamodb._query(request | ({"ExclusiveStartKey": start} if start else {}))
        page = json.loads(body)
        pages.append((status, page.get("Items"), page.get("Count"), page.get("message"), page.get("LastEvaluatedKey")))
        start = page.get("LastEvaluatedKey")
        if not start:
            break
    return pages


@given(
    before=CHANGES,
    after=CHANGES,
    index=st.sampled_from(["text", "number", "none"]),
    condition=CONDITIONS,
    shape=SHAPES,
    operands=st.tuples(WORDS, WORDS, NUMBERS, NUMBERS),
    limit=st.none() | st.integers(1, 5),
    forward=st.booleans(),
)
def test_every_page_is_the_same(
    before: Any, after: Any, index: str, condition: str, shape: str, operands: Any, limit: int | None, forward: bool
) -> None:
    kind, name = ("N", "n") if index == "number" else ("S", "q")
    low, high = sorted(operands[2:], key=int) if kind == "N" else sorted(operands[:2])
    if index == "none" or (kind == "N" and "begins" in condition):
        condition = ""
    values = {":p": {"S": "x"}}
    if condition:
        values |= {":a": {kind: low}} | ({":b": {kind: high}} if ":b" in condition else {})
    request = {
        "TableName": TABLE,
        "IndexName": index,
        "KeyConditionExpression": shape.format(p="#p = :p", s=condition.format("#s")) if condition else "#p = :p",
        "ExpressionAttributeNames": {"#p": "p"} | ({"#s": name} if condition else {}),
        "ExpressionAttributeValues": values,
        "ScanIndexForward": forward,
    } | ({"Limit": limit} if limit else {})
    answers = []
    for ordered in (False, True):
        table = fresh_table(ordered=ordered)
        for changes in (before, after):
            for keep, item in changes:
                if keep:
                    dynamodb._set_item(table, item["i"]["S"], "", dict(item))
                else:
                    dynamodb._remove_item(table, item["i"]["S"], "")
            answer = walk(request)
        answers.append(answer)
    assert answers[0] == answers[1]


def test_a_page_without_a_limit_ends_at_a_megabyte() -> None:
    answers = []
    for ordered in (False, True):
        table = fresh_table(ordered=ordered)
        for number in range(60):
            item = {
                "i": {"S": f"{number:02}"},
                "p": {"S": "x"},
                "q": {"S": "q"},
                "n": {"N": "1"},
                "x": {"S": "x" * 50_000},
            }
            dynamodb._set_item(table, f"{number:02}", "", item)
        request = {
            "TableName": TABLE,
            "IndexName": "text",
            "KeyConditionExpression": "p = :p",
            "ExpressionAttributeValues": {":p": {"S": "x"}},
        }
        answers.append(walk(request))
    assert len(answers[0]) == 3
    assert answers[0] == answers[1]
