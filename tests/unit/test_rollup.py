"""The rollup against counting by hand: sums, bounded tables that know what they lack, mergeable percentiles."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagetrail.analytics.figures import as_csv, figures, latency_of, rank
from imagetrail.analytics.reports import added_up
from imagetrail.analytics.rollup import (
    MEASURES,
    Rollup,
    Table,
    bucket,
    cell_of,
    keys_of,
    measures,
    percentiles,
    records,
    unpacked,
    user_key,
)
from imagetrail.analytics.rows import SCHEMA, Poisoned, row
from imagetrail.analytics.terms import terms
from imagetrail.records import COLUMNS

DAY = "2026-03-01"
ITEM: dict[str, Any] = {
    "id": "019c1e0d-8f40-7b6a-9c1d-2e5f7a90b3c4",
    "status": "succeeded",
    "created_at": f"{DAY}T10:30:00.123456Z",
}


def test_a_record_of_the_oldest_schema_counts() -> None:
    made = row(ITEM, DAY)
    assert set(made) == set(COLUMNS) == set(SCHEMA)
    assert made["favorite"] is False
    assert made["reference_images_count"] == 0
    assert measures(cell_of(made)) == {
        **dict.fromkeys(MEASURES, 0),
        "records": 1,
        "succeeded": 1,
        "kept": 1,
    }
    assert keys_of(made) == [("models", "")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", 7),
        ("id", ""),
        ("status", "unheard of"),
        ("status", None),
        ("created_at", None),
        ("created_at", "2026-03-02T10:30:00.123456Z"),
        ("created_at", "2026-03-01"),
        ("prompt", 3),
        ("cost_usd", "0.03"),
        ("cost_usd", -1),
        ("cost_usd", 1e120),
        ("cost_usd", float("nan")),
        ("generation_ms", 1.5),
        ("width", 1 << 31),
        ("bytes", 1 << 63),
        ("favorite", 1),
        ("unique_visual_elements", "a red thread"),
        ("unique_visual_elements", ["a red thread", None]),
        ("reference_images", [{"key": 1}]),
        ("deleted_at", "2026-13-45T10:30:00.123456Z"),
    ],
)
def test_what_cannot_be_counted_names_its_column_and_not_its_value(column: str, value: object) -> None:
    with pytest.raises(Poisoned, match=f"^{column}$"):
        row({**ITEM, column: value}, DAY)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3)), max_size=60))
def test_a_rollup_survives_being_packed(parts: list[tuple[str, int]]) -> None:
    rollup = Rollup()
    for number, (name, kind) in enumerate(parts):
        made = row(
            {
                **ITEM,
                "model": name,
                "status": ("succeeded", "failed", "blocked", "pending")[kind],
                "error": f"model_failed: of {name}",
                "prompt": f"a {name}{name} fox",
                "unique_visual_elements": [name, "copper", "copper"],
                "cost_usd": number / 1000,
                "generation_ms": number,
                "user_id": name,
            },
            DAY,
        )
        rollup.add(made, [*keys_of(made), user_key(made)], cell_of(made))
    again = unpacked(rollup.packed())
    assert again.total == rollup.total
    assert {name: table.rows for name, table in again.tables.items()} == {
        name: table.rows for name, table in rollup.tables.items()
    }
    assert again.latency == rollup.latency
    assert measures(again.total)["cost_micros"] == sum(range(len(parts))) * 1000
    assert records(again.tables["elements"].rows.get("copper", 0)) == len(parts)
    assert unpacked(rollup.packed(), ["models"]).tables.keys() <= {"models"}


@given(st.lists(st.lists(st.integers(0, 30), max_size=120), max_size=6), st.integers(1, 8))
def test_a_bounded_table_is_off_by_no_more_than_it_says(days: list[list[int]], capacity: int) -> None:
    tables, exact = [], Counter[str]()
    for day in days:
        table = Table(capacity)
        for number in day:
            table.add(str(number), 1)
            exact[str(number)] += 1
        tables.append(table)
        assert len(table.rows) <= 2 * capacity
    added = added_up(tables)
    for key, count in exact.items():
        told = records(added.rows.get(key, 0))
        at_most = told + added.lacks.get(key, 0) if key in added.rows else added.floor
        assert told <= count <= at_most


def test_a_table_that_forgot_nothing_is_exact_and_says_so() -> None:
    table = Table()
    for number in range(1_000):
        table.add(str(number % 290), 1)
    assert table.floor == 0
    packed = table.packed()
    assert "floor" not in packed
    assert len(packed["rows"]) == 290


def test_a_stored_table_keeps_the_largest_rows() -> None:
    table = Table()
    for number in range(1_000):
        for _ in range(1 + number // 100):
            table.add(f"{number:04}", 1)
    packed = table.packed()
    assert sorted(packed["rows"])[0] == "0700"
    assert len(packed["rows"]) == 300
    assert packed["floor"] == 7


@given(st.lists(st.lists(st.integers(0, 900_000), max_size=40), min_size=1, max_size=5))
def test_percentiles_of_several_days_are_close(days: list[list[int]]) -> None:
    told = latency_of(Counter(map(bucket, day)) for day in days)
    everything = sorted(number for day in days for number in day)
    for rank_, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99")):
        if not everything:
            assert told[name] is None
            continue
        exact = everything[math.ceil(rank_ * len(everything)) - 1]
        assert told[name] == pytest.approx(exact, rel=0.0445, abs=0.11)


def test_no_percentile_of_nothing() -> None:
    assert percentiles(Counter(), 0.5) == [None]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("A red fox, in the SNOW; a red Fox!", {"red", "fox", "snow"}),
        ("hand-drawn café's at 8am", {"hand-drawn", "café's", "8am"}),
        ("湖の夜明け", {"湖の", "の夜", "夜明", "明け"}),
        ("ｆｕｌｌ width 🦊 x", {"full", "width"}),
        ("東 tower", {"東", "tower"}),
        ("غروب ذهبي", {"غروب", "ذهبي"}),
        ("", set()),
    ],
)
def test_the_terms_of_a_prompt(prompt: str, expected: set[str]) -> None:
    assert terms(prompt) == expected


@given(st.text(max_size=3000))
def test_any_prompt_has_few_short_terms(prompt: str) -> None:
    found = terms(prompt)
    assert len(found) <= 100
    assert all(0 < len(term) <= 40 for term in found)


def test_a_favourite_rate_of_a_small_sample_does_not_come_first() -> None:
    def cell(records: int, favorites: int) -> int:
        kept = {**ITEM, "favorite": False}
        loved = {**ITEM, "favorite": True}
        return cell_of(row(loved, DAY)) * favorites + cell_of(row(kept, DAY)) * (records - favorites)

    cells = {"one of one": cell(1, 1), "eighty of hundred": cell(100, 80), "none of three": cell(3, 0)}
    assert rank(cells, "favorite_rate", descending=True) == ["eighty of hundred", "one of one", "none of three"]
    assert rank(cells, "records", descending=False)[0] == "one of one"
    assert figures(cells["one of one"])["favorite_rate"] == 1
    assert figures(cells["one of one"])["favorite_rate_at_least"] == pytest.approx(0.2065, abs=0.001)
    assert figures(0)["favorite_rate"] is None


def test_what_has_no_value_comes_last_either_way() -> None:
    cells = {"failed": cell_of(row({**ITEM, "status": "failed"}, DAY)), "kept": cell_of(row(ITEM, DAY))}
    for descending in (True, False):
        assert rank(cells, "cost_per_kept_usd", descending=descending)[-1] == "failed"


def test_csv_is_flat_and_runs_nothing() -> None:
    rows = [{"term": "=1+1", "records": 2, "previous": {"records": 1}}, {"term": 'a "b", c', "records": 1}]
    assert as_csv(["term", "records", "previous_records"], rows).decode() == (
        'term,records,previous_records\r\n\'=1+1,2,1\r\n"a ""b"", c",1,\r\n'
    )


def test_the_order_of_records_does_not_matter() -> None:
    chance = random.Random(5)  # noqa: S311 (the same in every run)
    rows = [row({**ITEM, "prompt": f"fox {chance.randrange(9)}", "cost_usd": chance.random()}, DAY) for _ in range(50)]
    packed = set()
    for _ in range(3):
        chance.shuffle(rows)
        rollup = Rollup()
        for made in rows:
            rollup.add(made, keys_of(made), cell_of(made))
        packed.add(rollup.packed())
    assert len(packed) == 1
