"""DynamoDB: items as plain dictionaries, and the few operations this project uses."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from imagetrail.aws import AwsError
from imagetrail.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from imagetrail.aws import Endpoint

_BATCH = 25
_READ_BATCH = 100
_BATCH_ATTEMPTS = 8
Item = dict[str, Any]
"""Attribute names to str, bytes, bool, int, float, list, dict or set of str. An attribute that is None is absent."""

Key = str | Item
"""A table's key: the `id` alone, or each of its attributes."""


class ConditionFailedError(Exception):
    """The condition of a write did not hold."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a query: `examined` items were read, `count` matched; `last` is where a following one starts."""

    items: list[Item]
    count: int
    examined: int
    last: Item | None


@dataclass(slots=True)
class Expression:
    """An expression with its placeholders: `:name` is a value, `#name` an attribute called so or as in `names`."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


class Dynamo:
    """The tables of one region, through one signed endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def get(self, table: str, key: Key, *, consistent: bool = False) -> Item | None:
        """The item whose `id` is `key`. One read."""
        request = {"TableName": table, "Key": _key(key), "ConsistentRead": consistent}
        found = self._call("GetItem", request).get("Item")
        return None if found is None else from_attributes(found)

    def get_many(self, table: str, keys: Sequence[str]) -> dict[str, Item]:
        """The items whose `id` is one of `keys`, by id, read consistently. A call per hundred."""
        found: dict[str, Item] = {}
        waiting = [{"id": {"S": key}} for key in dict.fromkeys(keys)]
        for attempt in range(_BATCH_ATTEMPTS + len(waiting) // _READ_BATCH):
            request = {"RequestItems": {table: {"Keys": waiting[:_READ_BATCH], "ConsistentRead": True}}}
            answer = self._call("BatchGetItem", request) if waiting else {}
            found |= {item["id"]["S"]: from_attributes(item) for item in answer.get("Responses", {}).get(table, ())}
            left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            waiting = waiting[_READ_BATCH:] + left
            if not waiting:
                return found
            if len(left) == _READ_BATCH:
                time.sleep(0.02 * 2 ** min(attempt, 5))
        raise Unavailable

    def scan(self, table: str) -> Iterator[list[Item]]:
        """Every item of the table, page by page, read consistently."""
        request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
        while True:
            answer = self._call("Scan", request)
            yield [from_attributes(item) for item in answer.get("Items", ())]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def query(
        self,
        table: str,
        index: str | None,
        key: Expression,
        *,
        newest_first: bool,
        limit: int,
        start: Item | None = None,
        keep: Expression | None = None,
        count_only: bool = False,
        attributes: Sequence[str] = (),
    ) -> Page:
        """At most `limit` items are examined, those that `keep` does not match are left out. One call.

        Without an index the table itself is read, and then consistently. Without `attributes` items have all of theirs.
        """
        request: dict[str, Any] = {
            "TableName": table,
            **({"ConsistentRead": True} if index is None else {"IndexName": index}),
            "KeyConditionExpression": key.text,
            "ScanIndexForward": not newest_first,
            "Limit": limit,
        }
        values = dict(key.values)
        if keep is not None:
            request["FilterExpression"] = keep.text
            values |= keep.values
        wanted = [f"#{name}" for name in attributes]
        if wanted:
            request["ProjectionExpression"] = ", ".join(wanted)
        request |= _placeholders(" ".join([key.text, keep.text if keep else "", *wanted]), values, {})
        if start is not None:
            request["ExclusiveStartKey"] = to_attributes(start)
        if count_only:
            request["Select"] = "COUNT"
        answer = self._call("Query", request)
        last = answer.get("LastEvaluatedKey")
        return Page(
            [from_attributes(item) for item in answer.get("Items", ())],
            answer["Count"],
            answer["ScannedCount"],
            None if last is None else from_attributes(last),
        )

    def put(self, table: str, item: Item, condition: Expression) -> None:
        """Raises ConditionFailedError."""
        request = {"TableName": table, "Item": to_attributes(item), "ConditionExpression": condition.text}
        self._call("PutItem", request | _placeholders(condition.text, condition.values, condition.names))

    def update(self, table: str, key: Key, change: Expression, condition: Expression | None = None) -> Item:
        """Changes or creates one item; returns its changed attributes as they are now. Raises ConditionFailedError."""
        request: dict[str, Any] = {
            "TableName": table,
            "Key": _key(key),
            "UpdateExpression": change.text,
            "ReturnValues": "UPDATED_NEW",
        }
        text, values, names = change.text, change.values, change.names
        if condition is not None:
            request["ConditionExpression"] = condition.text
            text, values, names = (
                f"{text} {condition.text}",
                {**values, **condition.values},
                {**names, **condition.names},
            )
        answer = self._call("UpdateItem", request | _placeholders(text, values, names))
        return from_attributes(answer.get("Attributes", {}))

    def delete(self, table: str, key: Key, condition: Expression) -> None:
        """Raises ConditionFailedError."""
        request = {"TableName": table, "Key": _key(key), "ConditionExpression": condition.text}
        self._call("DeleteItem", request | _placeholders(condition.text, condition.values, condition.names))

    def delete_many(self, table: str, keys: Iterable[Key]) -> None:
        """Deletes items by their ids, 25 a call; one that is not there is fine. Raises Unavailable."""
        self._write_many(table, ({"DeleteRequest": {"Key": _key(key)}} for key in keys))

    def put_many(self, table: str, items: Iterable[Item]) -> None:
        """Puts items, 25 a call, whatever stood there before; they are taken as they are sent. Raises Unavailable."""
        self._write_many(table, ({"PutRequest": {"Item": to_attributes(item)}} for item in items))

    def _write_many(self, table: str, requests: Iterable[Item]) -> None:
        """What was not processed goes along with the next batch. Raises Unavailable where nothing ever is."""
        left, in_vain = iter(requests), 0
        batch: list[Item] = []
        while batch := [*batch, *islice(left, _BATCH - len(batch))]:
            answer = self._call("BatchWriteItem", {"RequestItems": {table: batch}})
            rest = answer.get("UnprocessedItems", {}).get(table, [])
            in_vain = in_vain + 1 if len(rest) == len(batch) else 0
            if in_vain == _BATCH_ATTEMPTS:
                raise Unavailable
            if rest:
                self._endpoint.pause_before(max(in_vain, 1))
            batch = rest

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._endpoint.call(f"DynamoDB_20120810.{operation}", request, "application/x-amz-json-1.0")
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                raise ConditionFailedError from None
            raise


def _key(key: Key) -> dict[str, Any]:
    return {"id": {"S": key}} if isinstance(key, str) else to_attributes(key)


_BETWEEN_WORDS = str.maketrans("(),.", "    ")


def assignment(changes: Item) -> Expression:
    """SET every attribute of `changes`, REMOVE those that are None."""
    kept = {name: value for name, value in changes.items() if value is not None}
    gone = [name for name, value in changes.items() if value is None]
    text = ("SET " + ", ".join(f"#{name} = :{name}" for name in kept)) if kept else ""
    if gone:
        text += " REMOVE " + ", ".join(f"#{name}" for name in gone)
    return Expression(text, changes)


def _placeholders(text: str, values: Mapping[str, Any], called: Mapping[str, str]) -> dict[str, Any]:
    words = set(text.translate(_BETWEEN_WORDS).split())
    names = {word: called.get(word[1:], word[1:]) for word in words if word.startswith("#")}
    filled = {word: attribute(values[word[1:]]) for word in words if word.startswith(":")}
    placeholders: dict[str, Any] = {}
    if names:
        placeholders["ExpressionAttributeNames"] = names
    if filled:
        placeholders["ExpressionAttributeValues"] = filled
    return placeholders


def to_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item in DynamoDB's JSON; None is left out."""
    return {name: attribute(value) for name, value in item.items() if value is not None}


def attribute(value: object) -> dict[str, Any]:
    """One value in DynamoDB's JSON."""
    match value:
        case str():
            return {"S": value}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case bool():
            return {"BOOL": value}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case list() | tuple():
            return {"L": [attribute(member) for member in value]}
        case dict():
            return {"M": {name: attribute(member) for name, member in value.items()}}
    raise TypeError(f"DynamoDB takes no {type(value).__name__}")


def from_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> Item:
    """An item out of DynamoDB's JSON. Whole numbers become int, others float."""
    return {name: tagged["S"] if "S" in tagged else _value(tagged) for name, tagged in attributes.items()}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _value(tagged: Mapping[str, Any]) -> Any:
    for tag, value in tagged.items():
        return value if tag == "S" else _FROM[tag](value)
    raise ValueError("an attribute without a type")


_FROM: Mapping[str, Callable[[Any], Any]] = {
    "N": _number,
    "BOOL": bool,
    "NULL": lambda _: None,
    "L": lambda members: [_value(member) for member in members],
    "M": from_attributes,
    "SS": set,
    "NS": set,
    "BS": set,
    "B": base64.b64decode,
}
