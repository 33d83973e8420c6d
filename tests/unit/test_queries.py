"""Query parameters: what is accepted, what it means, and that any range that is accepted can be read."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagetrail import moments
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.dynamo import Dynamo, Expression, Page
from imagetrail.errors import Invalid
from imagetrail.history import History, HistoryQuery
from imagetrail.ledger import Days
from imagetrail.queries import LIST_DATASETS, LIST_IMAGES, parse

ID = "019b2f6e-7c1a-7d32-9a55-3f1b6f0a2c11"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("limit", "1", 1),
        ("limit", "200", 200),
        ("limit", "050", 50),
        ("offset", "0", 0),
        ("offset", "10000", 10_000),
        ("cursor", "any Thing-_", "any Thing-_"),
        ("dataset_id", ID, ID),
        ("dataset_id", ID.upper(), ID),
        *(("status", status, status) for status in ("pending", "succeeded", "failed", "blocked", "all")),
        ("from", "2026-02-02", datetime(2026, 2, 2, tzinfo=UTC)),
        ("to", "2026-02-02T10:30:00+01:00", datetime(2026, 2, 2, 9, 30, tzinfo=UTC)),
        ("order", "asc", "asc"),
        ("order", "desc", "desc"),
    ],
)
def test_what_is_accepted(name: str, text: str, value: object) -> None:
    assert parse(LIST_IMAGES, {name: text}) == {name: value}


def test_what_is_not_given_is_not_there() -> None:
    assert parse(LIST_IMAGES, {}) == {}


def test_the_described_defaults_are_those_of_the_history() -> None:
    described = {p.name: p.schema["default"] for p in LIST_IMAGES if "default" in p.schema}
    query = HistoryQuery()
    assert described == {"limit": 50, "offset": 0, "status": "succeeded", "order": "desc"}
    assert {name: getattr(query, name) for name in described} == described


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        parse(LIST_DATASETS, {"limit": "0", "offset": "5", "visibility": "mine", "cursor": "x"})
    assert dict(caught.value.errors) == {
        "limit": "must be a whole number from 1 to 200",
        "offset": "is not a known query parameter; this route takes limit, cursor, visibility",
        "visibility": "must be one of private, public",
    }


@pytest.mark.parametrize("parameter", [*LIST_IMAGES, *LIST_DATASETS], ids=lambda parameter: parameter.name)
def test_a_described_default_or_word_is_accepted(parameter: Any) -> None:
    described = [*parameter.schema.get("enum", ()), parameter.schema.get("default")]
    for text in [str(value) for value in described if value is not None]:
        assert str(parameter.parse(text)) == text


@pytest.mark.parametrize("text", ["2026-02-02T10:30:00 01:00", "2026-02-02T10:30:00"])
def test_a_plus_is_shown_as_urls_need_it(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(LIST_IMAGES, {"from": text})
    ((_, message),) = caught.value.errors
    assert "%2B01:00" in message


@given(st.text())
def test_any_text_is_a_value_or_refused_with_advice(text: str) -> None:
    for parameter in LIST_IMAGES:
        with suppress(Invalid):
            parse(LIST_IMAGES, {parameter.name: text})


class EmptyTables:
    """Tables without items, that keep what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Expression] = []

    def get(self, _table: str, _key: str) -> dict[str, Any]:
        return {"days": {"0001-01-01", "2026-02-02", "9999-12-31"}}

    def query(self, _table: str, _index: str, key: Expression, **_: Any) -> Page:
        self.asked.append(key)
        return Page([], 0, 0, None)


@pytest.mark.parametrize("caller", [ANONYMOUS, Caller("alice"), Caller("root", is_admin=True)])
@given(
    bounds=st.sets(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=2).map(sorted),
    given_bounds=st.sampled_from([("from",), ("to",), ("from", "to")]),
    order=st.sampled_from(["asc", "desc"]),
)
@example(bounds=[datetime.min.replace(tzinfo=UTC)] * 2, given_bounds=("to",), order="desc")
@example(bounds=[datetime.max.replace(tzinfo=UTC)] * 2, given_bounds=("from",), order="asc")
def test_any_range_of_time_can_be_read(
    caller: Caller, bounds: list[datetime], given_bounds: tuple[str, ...], order: str
) -> None:
    texts = dict(
        zip(("to", "from") if len(given_bounds) == 1 else ("from", "to"), map(moments.to_text, bounds), strict=True)
    )
    values = parse(LIST_IMAGES, {name: texts[name] for name in given_bounds})
    tables = EmptyTables()
    dynamo = cast("Dynamo", tables)
    query = HistoryQuery(from_=values.get("from"), to=values.get("to"), order=order)
    page = History(dynamo, "images", Days(dynamo, "ledger"), "unowned").page(caller, query, "")
    assert (page["images"], page["next_cursor"]) == ([], None)
    for key in tables.asked:
        low, high = key.values.get("from", ""), key.values.get("to", "9999-12-31T23:59:59.999999Z")
        assert low <= high
        assert len(high) == 27
        assert "to" not in given_bounds or high < texts["to"] or texts["to"] == "0001-01-01T00:00:00.000000Z"
