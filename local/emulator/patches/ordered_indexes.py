"""Keeps each partition of an index in order, so that a Query costs what its page costs.

The emulator reads and sorts all items of the partition for each page: 1.4 s for one page of 100,000 items. Here the
index holds entries sorted as DynamoDB sorts them, and hands the emulator's Query only those that the page can contain:
after the exclusive start key, within the condition on the sort key, and as many as fit into the page. Everything else
(validation, filters, projections, the last evaluated key) stays the emulator's. Upstream: the same structure.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ministack.services import dynamodb

from local.emulator.context import Context

TARGETS = {
    "ministack.services.dynamodb._apply_exclusive_start_key": "080cc305f303",
    "ministack.services.dynamodb._apply_index_projection": "edab067f1dc8",
    "ministack.services.dynamodb._index_item": "72c4575bce27",
    "ministack.services.dynamodb._index_key_schemas": "511d72fb393f",
    "ministack.services.dynamodb._index_members": "0cb24364f003",
    "ministack.services.dynamodb._index_order_keys": "4428816c83c9",
    "ministack.services.dynamodb._index_order_value": "abc461692ef9",
    "ministack.services.dynamodb._index_partition": "67cf1c5bf0d4",
    "ministack.services.dynamodb._item_size_bytes": "9be41cc11f94",
    "ministack.services.dynamodb._paginate_evaluated_items": "d70cfb58e3a2",
    "ministack.services.dynamodb._query": "50c2e7ec69e9",
    "ministack.services.dynamodb._tokenize": "6abb13395c3e",
}

Item = dict[str, Any]
Key = tuple[str, str]
Condition = tuple[str, str, list[Any]]  # name of the key, operator, operands
Entry = tuple[Any, ...]  # values of the sort key, then of the table's keys, then the table's `Key`

_PAGE_BYTES = dynamodb._DDB_PAGE_SIZE_BYTES
_LOCK = threading.RLock()  # items expire in another thread than requests are answered in
_request: ContextVar[dict[str, Any] | None] = ContextVar("query", default=None)


class _Highest:
    """Compares above every value, so that a tuple that ends in it is above all with the same beginning."""

    def __lt__(self, _other: object) -> bool:
        return False

    def __gt__(self, _other: object) -> bool:
        return True


_HIGHEST = _Highest()


@dataclass(slots=True)
class Partitions:
    """An index of one table: its entries in order, by the value of the partition key."""

    table: dict[str, Any]
    name: str
    hashes: list[str]
    ranges: list[str]
    order: list[tuple[str, str]]
    entries: dict[Any, list[Entry]] = field(default_factory=dict)

    def get(self, partition: Any, _default: object = ()) -> list[Key]:
        """Keys of the items that the page of the current Query can contain; of all in the partition without one."""
        request = _request.get()
        with _LOCK:
            entries = self.entries.get(partition, [])
            if request is None or (conditions := _conditions(request)) is None:
                return [entry[-1] for entry in entries]
            return self._page(entries, request, conditions)

    def _page(self, entries: list[Entry], request: dict[str, Any], conditions: list[Condition]) -> list[Key]:
        low, high = self._range(entries, conditions)
        forward = request.get("ScanIndexForward", True)
        if start := request.get("ExclusiveStartKey"):
            after = tuple(dynamodb._index_order_value(start, *of) for of in self.order)
            if forward:
                low = max(low, bisect_right(entries, (*after, _HIGHEST)))
            else:
                high = min(high, bisect_left(entries, after))
        positions = range(low, high) if forward else range(high - 1, low - 1, -1)
        if limit := request.get("Limit"):
            return [entries[position][-1] for position in positions[: int(limit)]]
        return list(self._of_one_page(entries[position][-1] for position in positions))

    def _of_one_page(self, keys: Iterator[Key]) -> Iterator[Key]:
        size = 0
        for partition, sort in keys:
            if size > _PAGE_BYTES:
                return
            item = self.table["items"].get(partition, {}).get(sort)
            if item is not None:
                size += dynamodb._item_size_bytes(dynamodb._apply_index_projection(item, self.table, self.name))
                yield partition, sort

    def _range(self, entries: list[Entry], conditions: list[Condition]) -> tuple[int, int]:
        """Positions between which the condition on the sort key holds."""
        low, high = 0, len(entries)
        for name, operator, operands in conditions:
            if [name] != self.ranges:
                continue
            first, *rest = [(dynamodb._sort_key_value(operand, self.order[0][1]),) for operand in operands]
            if operator in ("EQ", "GE", "BETWEEN", "BEGINS_WITH"):
                low = max(low, bisect_left(entries, first))
            if operator in ("EQ", "LE"):
                high = min(high, bisect_right(entries, (*first, _HIGHEST)))
            if operator == "BETWEEN":
                high = min(high, bisect_right(entries, (*rest[0], _HIGHEST)))
            if operator == "GT":
                low = max(low, bisect_right(entries, (*first, _HIGHEST)))
            if operator == "LT":
                high = min(high, bisect_left(entries, first))
            if operator == "BEGINS_WITH":
                prefix = first[0]
                high = min(high, bisect_left(entries, x=True, key=lambda entry: entry[0][: len(prefix)] > prefix))
        return low, high

    def put(self, key: Key, item: Item) -> None:
        if (partition := dynamodb._index_partition(item, self.hashes, self.ranges)) is not None:
            with _LOCK:
                insort(self.entries.setdefault(partition, []), self._entry(key, item))

    def remove(self, key: Key, item: Item) -> None:
        partition = dynamodb._index_partition(item, self.hashes, self.ranges)
        with _LOCK:
            entries = self.entries.get(partition, [])
            entry = self._entry(key, item) if entries else ()
            position = bisect_left(entries, entry)
            if position < len(entries) and entries[position] == entry:
                del entries[position]
                if not entries:
                    del self.entries[partition]

    def fill(self) -> None:
        """From the table's items; one sort for each partition."""
        for base, by_sort in self.table["items"].items():
            for sort, item in by_sort.items():
                if (partition := dynamodb._index_partition(item, self.hashes, self.ranges)) is not None:
                    self.entries.setdefault(partition, []).append(self._entry((base, sort), item))
        for entries in self.entries.values():
            entries.sort()

    def _entry(self, key: Key, item: Item) -> Entry:
        return (*(dynamodb._index_order_value(item, *of) for of in self.order), key)


def _conditions(request: dict[str, Any]) -> list[Condition] | None:
    """Conditions of the request on keys, which are all to hold; None for what is not read here."""
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    # Only `AND` joins conditions on keys, so that parentheses change nothing.
    tokens = [
        (_WORDS.get(text.upper(), kind) if kind == "IDENT" else kind, text)
        for kind, text in dynamodb._tokenize(request.get("KeyConditionExpression", ""))
        if kind not in ("LPAREN", "RPAREN", "COMMA", "EOF")
    ]
    found: list[Condition] = []
    while tokens:
        kinds = ["NAME" if kind in ("IDENT", "NAME_REF") else kind for kind, _ in tokens[:5]]
        size = next((len(form) for form in _FORMS if kinds[: len(form)] == form), 3)
        given = [text for text, kind in zip([text for _, text in tokens], kinds[:size], strict=False) if kind == "NAME"]
        operands = [values.get(text) for kind, text in tokens[:size] if kind == "VALUE_REF"]
        operator = _operator(kinds[:size])
        if operator is None or len(given) != 1 or None in operands:
            return None
        found.append((names.get(given[0], given[0]), operator, operands))
        if tokens[size:] and tokens[size][0] != "AND":
            return None
        tokens = tokens[size + 1 :]
    return found


def _operator(kinds: list[str]) -> str | None:
    if kinds in _FORMS:
        return "BETWEEN" if "BETWEEN" in kinds else "BEGINS_WITH"
    if len(kinds) == 3 and kinds[0] == "NAME" and kinds[2] == "VALUE_REF":
        return kinds[1] if kinds[1] in _FLIPPED else None
    if len(kinds) == 3 and kinds[0] == "VALUE_REF" and kinds[2] == "NAME":
        return _FLIPPED.get(kinds[1])
    return None


_WORDS = {word: word for word in ("AND", "BETWEEN", "BEGINS_WITH")}
_FORMS = [["NAME", "BETWEEN", "VALUE_REF", "AND", "VALUE_REF"], ["BEGINS_WITH", "NAME", "VALUE_REF"]]
_FLIPPED = {"EQ": "EQ", "LT": "GT", "LE": "GE", "GT": "LT", "GE": "LE"}


def _index_members(table: dict[str, Any]) -> dict[str, Partitions]:
    members: dict[str, Partitions] | None = table.get(dynamodb._INDEX_MEMBERS)
    if members is None:
        members = {}
        for name, hashes, ranges in dynamodb._index_key_schemas(table):
            members[name] = Partitions(table, name, hashes, ranges, dynamodb._index_order_keys(table, ranges))
            members[name].fill()
        table[dynamodb._INDEX_MEMBERS] = members
    return members


def _index_item(table: dict[str, Any], base_pk: str, base_sk: str, item: Item, add: bool) -> None:
    for partitions in (table.get(dynamodb._INDEX_MEMBERS) or {}).values():
        if add:
            partitions.put((base_pk, base_sk), item)
        else:
            partitions.remove((base_pk, base_sk), item)


def apply(_context: Context) -> None:
    query = dynamodb._query

    def query_in_order(data: dict[str, Any]) -> Any:
        token = _request.set(None if data.get("KeyConditions") else data)
        try:
            return query(data)
        finally:
            _request.reset(token)

    dynamodb._query = query_in_order
    dynamodb._index_members, dynamodb._index_item = _index_members, _index_item
