"""Records as CSV: what a spreadsheet makes of it, and what comes back."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagetrail import spreadsheet
from imagetrail.records import COLUMNS, public

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
NASTY = TEXTS | st.text("'=+-@\t\r\n\",; a\uff1d", max_size=8)
STARTS_A_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def cells(line: bytes) -> list[str]:
    (row,) = csv.reader(io.StringIO(line.decode(), newline=""), strict=True)
    return row


@given(NASTY)
def test_a_text_is_harmless_and_comes_back(text: str) -> None:
    made = spreadsheet.harmless(text)
    assert not made.startswith(STARTS_A_FORMULA)
    assert spreadsheet.meant(made) == text


@given(NASTY)
def test_what_looks_harmless_stays_as_it_is(text: str) -> None:
    if not text.lstrip("'").startswith(STARTS_A_FORMULA):
        assert spreadsheet.harmless(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("'=1+1", "''=1+1"),
        ("'tis", "'tis"),
        ("-5", "'-5"),
        ("a=b", "a=b"),
        ("", ""),
        ("\t=", "'\t="),
    ],
)
def test_one_apostrophe_more(text: str, shown: str) -> None:
    assert spreadsheet.harmless(text) == shown


@given(st.lists(NASTY, min_size=1, max_size=6))
def test_any_reader_of_csv_reads_the_same_cells(texts: list[str]) -> None:
    line = spreadsheet.csv_line(texts)
    assert line.endswith(b"\r\n")
    assert cells(line) == [spreadsheet.harmless(text) for text in texts]


def test_numbers_stay_numbers_and_null_is_not_the_empty_text() -> None:
    assert spreadsheet.csv_line([None, "", -5, 0.0, 1.5, True, [], {"b": 1, "a": ["x,y"]}, " a "]) == (
        b',"",-5,0.0,1.5,true,[],"{""a"":[""x,y""],""b"":1}"," a "\r\n'
    )


def test_every_column_is_there_in_order() -> None:
    record: dict[str, Any] = {"id": "1", "status": "succeeded", "dropped_params": ["seed"], "cost_usd": 0}
    record["reference_images"] = [{"sha256": "b", "key": "a"}]
    shown = public(record, "http://localhost:3000")
    assert cells(spreadsheet.csv_header()) == list(COLUMNS)
    assert len(cells(spreadsheet.csv_record(shown))) == len(COLUMNS)
    line = spreadsheet.json_record(shown)
    assert list(json.loads(line)) == list(COLUMNS)
    assert b'[{"key":"a","sha256":"b"}]' in line


def test_a_line_of_json_is_one_line_to_every_reader() -> None:
    """`str.splitlines` and JavaScript before ES2019 end lines where JSON need not escape."""
    prompt = "a\u2028b\u2029c\u0085d\ne\x0bf\x0cg\x1ch\\u2028"
    record = {**dict.fromkeys(COLUMNS), "prompt": prompt}
    (line,) = spreadsheet.json_record(record).decode().splitlines()
    assert json.loads(line)["prompt"] == prompt
