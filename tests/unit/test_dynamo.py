"""DynamoDB's JSON, and the requests that are made of expressions."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagetrail import dynamo
from imagetrail.aws import AwsError, Endpoint
from imagetrail.dynamo import ConditionFailedError, Dynamo, Expression
from imagetrail.errors import Unavailable

VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**37), 10**37)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sets(st.text(), min_size=1),
    lambda inner: st.lists(st.none() | inner) | st.dictionaries(st.text(), st.none() | inner),
    max_leaves=6,
)
ITEMS = st.dictionaries(st.text(), VALUES)


class FakeEndpoint:
    """Keeps the last request and gives a prepared answer."""

    def __init__(self, answer: dict[str, Any] | AwsError) -> None:
        self.answer = answer
        self.target = ""
        self.request: Mapping[str, Any] = {}

    def call(self, target: str, payload: Mapping[str, Any], _content_type: str) -> dict[str, Any]:
        self.target, self.request = target, payload
        if isinstance(self.answer, AwsError):
            raise self.answer
        return self.answer


def tables(endpoint: FakeEndpoint) -> Dynamo:
    return Dynamo(cast("Endpoint", endpoint))


def types_of(value: Any) -> Any:
    """The value's types all the way down: 1 and True and 1.0 are equal, and must not be taken for each other."""
    if isinstance(value, dict):
        return {name: types_of(member) for name, member in value.items()}
    return [types_of(member) for member in value] if isinstance(value, list) else type(value)


@settings(max_examples=60)
@given(ITEMS)
def test_an_item_comes_back(item: dynamo.Item) -> None:
    read = dynamo.from_attributes(dynamo.to_attributes(item))
    assert read == item
    assert types_of(read) == types_of(item)


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        ("", {"S": ""}),
        ("5", {"S": "5"}),
        (5, {"N": "5"}),
        (True, {"BOOL": True}),
        (False, {"BOOL": False}),
        (0.03, {"N": "0.03"}),
        (1e-7, {"N": "1e-07"}),
        (Decimal("1.10"), {"N": "1.10"}),
        (None, {"NULL": True}),
        ({"b", "a"}, {"SS": ["a", "b"]}),
        (("a", 1), {"L": [{"S": "a"}, {"N": "1"}]}),
        ({"a": [None]}, {"M": {"a": {"L": [{"NULL": True}]}}}),
    ],
)
def test_the_form_of_every_type(value: object, attribute: dict[str, Any]) -> None:
    assert dynamo.attribute(value) == attribute


@pytest.mark.parametrize("value", [bytearray(b"bytes"), object(), 1j])
def test_a_type_that_does_not_fit_is_a_defect_here_and_not_in_the_table(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        dynamo.to_attributes({"a": value})


def test_an_attribute_that_is_none_is_absent() -> None:
    assert dynamo.to_attributes({"a": None, "b": 0, "c": ""}) == {"b": {"N": "0"}, "c": {"S": ""}}


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("-0", 0), ("7.5", 7.5), ("1E+2", 100.0), ("1.10", 1.1), ("4294967294", 4294967294)]
)
def test_numbers_are_whole_where_they_can_be(text: str, number: float) -> None:
    read = dynamo.from_attributes({"n": {"N": text}})["n"]
    assert (read, type(read)) == (number, type(number))


def test_an_item_is_asked_for_by_its_id() -> None:
    endpoint = FakeEndpoint({"Item": {"id": {"S": "1"}, "favorite": {"BOOL": True}}})
    assert tables(endpoint).get("t", "1", consistent=True) == {"id": "1", "favorite": True}
    assert endpoint.target == "DynamoDB_20120810.GetItem"
    assert endpoint.request == {"TableName": "t", "Key": {"id": {"S": "1"}}, "ConsistentRead": True}
    assert tables(FakeEndpoint({})).get("t", "1") is None


def test_a_query_names_and_fills_exactly_what_it_mentions() -> None:
    endpoint = FakeEndpoint({"Items": [{"id": {"S": "1"}}], "Count": 1, "ScannedCount": 9, "LastEvaluatedKey": {}})
    key = Expression("#owner = :owner AND #created_at BETWEEN :from AND :to", {"owner": "o", "from": "a", "to": "b"})
    keep = Expression("attribute_not_exists(#deleted_at) AND #status = :status", {"status": "failed", "unused": 1})
    page = tables(endpoint).query("t", "i", key, newest_first=True, limit=5, keep=keep, start={"id": "0"})
    assert (page.items, page.count, page.examined, page.last) == ([{"id": "1"}], 1, 9, {})
    assert endpoint.request == {
        "TableName": "t",
        "IndexName": "i",
        "KeyConditionExpression": key.text,
        "FilterExpression": keep.text,
        "ScanIndexForward": False,
        "Limit": 5,
        "ExclusiveStartKey": {"id": {"S": "0"}},
        "ExpressionAttributeNames": {f"#{n}": n for n in ("owner", "created_at", "deleted_at", "status")},
        "ExpressionAttributeValues": {
            ":owner": {"S": "o"},
            ":from": {"S": "a"},
            ":to": {"S": "b"},
            ":status": {"S": "failed"},
        },
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"a": 1, "b": "x"}, "SET #a = :a, #b = :b"),
        ({"a": 1, "b": None}, "SET #a = :a REMOVE #b"),
        ({"a": None, "b": None}, "REMOVE #a, #b"),
        ({"a": 0, "b": "", "c": False}, "SET #a = :a, #b = :b, #c = :c"),
    ],
)
def test_an_assignment_sets_and_removes(changes: dynamo.Item, text: str) -> None:
    assignment = dynamo.assignment(changes)
    assert assignment.text.strip() == text
    endpoint = FakeEndpoint({})
    tables(endpoint).update("t", "1", assignment)
    update = endpoint.request
    assert update["ExpressionAttributeNames"] == {f"#{name}": name for name in changes}
    kept = {f":{name}": dynamo.attribute(value) for name, value in changes.items() if value is not None}
    assert update.get("ExpressionAttributeValues", {}) == kept


def test_a_condition_that_fails_is_told() -> None:
    endpoint = FakeEndpoint(AwsError("dynamodb", "ConditionalCheckFailedException", {}))
    with pytest.raises(ConditionFailedError):
        tables(endpoint).put("t", {"id": "1"}, Expression("attribute_not_exists(#id)"))


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_any_other_refusal_is_a_defect(code: str) -> None:
    error = AwsError("dynamodb", code, {})
    with pytest.raises(AwsError, match=code):
        tables(FakeEndpoint(error)).put("t", {"id": "1"}, Expression("attribute_not_exists(#id)"))


class Batches:
    """Takes so many items of each batch, and gives back the rest as unprocessed."""

    def __init__(self, taken: int) -> None:
        self.taken = taken
        self.sizes: list[int] = []
        self.deleted: list[str] = []
        self.pauses: list[int] = []

    def call(self, _target: str, payload: Mapping[str, Any], _content_type: str) -> dict[str, Any]:
        requests = payload["RequestItems"]["images"]
        self.sizes.append(len(requests))
        self.deleted += [request["DeleteRequest"]["Key"]["id"]["S"] for request in requests[: self.taken]]
        rest = requests[self.taken :]
        return {"UnprocessedItems": {"images": rest} if rest else {}}

    def pause_before(self, attempt: int) -> None:
        self.pauses.append(attempt)


def test_many_are_deleted_by_25_and_what_was_not_processed_again() -> None:
    batches = Batches(taken=20)
    Dynamo(cast("Endpoint", batches)).delete_many("images", [str(number) for number in range(60)])
    assert sorted(batches.deleted, key=int) == [str(number) for number in range(60)]
    assert batches.sizes == [25, 25, 20]
    assert batches.pauses == [1, 1]


def test_a_table_that_processes_nothing_is_unavailable() -> None:
    batches = Batches(taken=0)
    with pytest.raises(Unavailable):
        Dynamo(cast("Endpoint", batches)).delete_many("images", ["a"])
    assert batches.pauses == sorted(batches.pauses)
    assert len(batches.pauses) > 3


def test_nothing_to_delete_is_no_request() -> None:
    batches = Batches(taken=25)
    Dynamo(cast("Endpoint", batches)).delete_many("images", [])
    assert batches.sizes == []


def test_sets_that_others_wrote_are_read() -> None:
    assert dynamo.from_attributes({"n": {"NS": ["1"]}, "b": {"BS": ["eA=="]}}) == {"n": {"1"}, "b": {"eA=="}}
