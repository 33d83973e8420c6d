"""Files with tables, as PostgreSQL, Supabase and we write them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli import tables
from cli.rows import RefusedRow, record
from imagetrail import spreadsheet
from imagetrail.records import COLUMNS, SEED_COLUMNS, public
from local.problem import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

    from cli.columns import Row

ID = "4e7a5c7e-52a9-4d0a-9d0e-3c1b0f7f2a11"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20) | st.text(
    "\\\"'\t\r\n,=N.", max_size=9
)
NASTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
SEED: dict[str, Any] = {
    "id": ID,
    "user_id": None,
    "prompt": "a red fox",
    "full_prompt": "a red fox",
    "image_url": None,
    "dataset_id": None,
    "style": None,
    "aspect_ratio": "16:9",
    "quality": "standard",
    "format": "png",
    "resolution": "2K",
    "reference_images_count": "3",
    "unique_visual_elements": '["wooden tables", "pendant lights"]',
    "created_at": "2026-02-02 10:30:00+00",
}


def read(path: Path, data: bytes, columns: tuple[str, ...] | None = None) -> list[Row]:
    path.write_bytes(data)
    with tables.opened(path, columns) as table:
        return list(table.rows)


def copied(values: list[str | None]) -> bytes:
    """A row as COPY writes it in its text format."""
    escapes = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    cells = (r"\N" if value is None else "".join(escapes.get(c, c) for c in value) for value in values)
    return "\t".join(cells).encode() + b"\n"


def quoted(values: list[str | None]) -> bytes:
    """A row as COPY writes it with FORCE_QUOTE *."""
    doubled = ("" if value is None else '"' + value.replace('"', '""') + '"' for value in values)
    return ",".join(doubled).encode() + b"\n"


ROWS = st.lists(st.lists(st.none() | TEXT, min_size=14, max_size=14), min_size=1, max_size=4)


@given(ROWS)
@NASTY
def test_copy_in_every_format_gives_the_same_cells(tmp_path: Path, rows: list[list[str | None]]) -> None:
    expected = [dict(zip(SEED_COLUMNS, row, strict=True)) for row in rows]
    header = ",".join(SEED_COLUMNS).encode() + b"\n"
    dump = (
        b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.datasets (id, name) FROM stdin;\n1\tx\n\\.\n\n"
        b"COPY public.generated_images (" + ", ".join(SEED_COLUMNS).encode() + b") FROM stdin;\n"
    )
    for data in (
        header + b"".join(map(quoted, rows)),
        spreadsheet.BOM + header + b"".join(map(quoted, rows)),
        dump + b"".join(map(copied, rows)) + b"\\.\n\n\n-- done\n",
        header.replace(b",", b"\t") + b"".join(map(copied, rows)),
    ):
        assert [row.cells for row in read(tmp_path / "table", data)] == expected


@given(st.lists(TEXT, min_size=1, max_size=3))
@NASTY
def test_what_we_export_comes_back(tmp_path: Path, prompts: list[str]) -> None:
    made = [public({**SEED, "unique_visual_elements": [p], "prompt": p, "status": "failed"}, "") for p in prompts]
    made = [record_ | {"reference_images_count": 3, "created_at": "2026-02-02T10:30:00.000000Z"} for record_ in made]
    table = spreadsheet.csv_header() + b"".join(map(spreadsheet.csv_record, made))
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("generated_images.csv", table)
    lines = b"".join(map(spreadsheet.json_record, made))
    for data in (table, spreadsheet.BOM + table, lines, (tmp_path / "export.zip").read_bytes()):
        (tmp_path / "table").write_bytes(data)
        with tables.opened(tmp_path / "table") as opened:
            assert opened.is_own
            back = [record(row.cells or {}, is_own=True, user_id=None) for row in opened.rows]
            assert opened.done() == 1
        assert back == made


def test_backslashes_of_an_export_are_its_own(tmp_path: Path) -> None:
    made = public({**SEED, "prompt": "C:\\new", "unique_visual_elements": None, "status": "failed"}, "")
    (row,) = read(tmp_path / "t", spreadsheet.json_record(made))
    assert (row.cells or {})["prompt"] == "C:\\new"


def test_null_is_not_the_empty_text(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "t", b'a,"",,b\n', ("id", "prompt", "style", "created_at"))
    assert row.cells == {"id": "a", "prompt": "", "style": None, "created_at": "b"}


def test_rows_are_counted_by_lines_and_each_tells_its_own_trouble(tmp_path: Path) -> None:
    data = b'id,created_at,prompt\r\n1,0,"two\r\nlines"\r\n2\r\n3,0,"a"b\r\n4,0,\xff\r\n\r\n'
    data += b'5,0,f\xc3\xafne\r\n6,0,"open\r\n'
    told = [(row.line, row.cells or row.trouble) for row in read(tmp_path / "t", data)]
    assert told == [
        (2, {"id": "1", "created_at": "0", "prompt": "two\r\nlines"}),
        (4, "has 1 cell where there are 3 columns"),
        (5, "has a quote in the middle of a cell"),
        (6, "has characters that are damaged: its bytes do not fit the encoding of the file"),
        (8, {"id": "5", "created_at": "0", "prompt": "fïne"}),
        (9, "has a quote that is not closed"),
    ]


def test_a_quote_that_opens_a_cell_tells_all_the_lines_that_it_took(tmp_path: Path) -> None:
    data = b'id,created_at,prompt\n1,0,a 12" fox\n2,0,lost\n3,0,a 9" hare\n4,0,fine\n5,0,"cut\n6,0,off\n'
    told = [(row.line, row.cells or row.trouble) for row in read(tmp_path / "t", data)]
    assert told == [
        (2, {"id": "1", "created_at": "0", "prompt": 'a 12" fox'}),
        (3, {"id": "2", "created_at": "0", "prompt": "lost"}),
        (4, {"id": "3", "created_at": "0", "prompt": 'a 9" hare'}),
        (5, {"id": "4", "created_at": "0", "prompt": "fine"}),
        (6, "has a quote that is not closed; lines 6 to 7 were read as one row"),
    ]


def test_an_archive_that_was_cut_off_is_damaged(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole", "w") as archive:
        archive.writestr("generated_images.csv", spreadsheet.csv_header() * 1000)
    whole = (tmp_path / "whole").read_bytes()
    for length in (4, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ProblemError, match="damaged or incomplete"):
            read(tmp_path / "t", whole[:length])


def test_a_table_without_rows_is_one_and_an_empty_file_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "t", spreadsheet.csv_header()) == read(tmp_path / "t", b"id,prompt,created_at\n") == []
    for data in (b"", b"\n", spreadsheet.BOM):
        with pytest.raises(ProblemError, match="empty"):
            read(tmp_path / "t", data)


def refused(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(RefusedRow) as caught:
        record({**SEED, **changes}, is_own=False, user_id=None)
    return caught.value.reasons


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-02-02 10:30:00+00", "2026-02-02T10:30:00.000000Z"),
        ("2026-02-02 10:30:00.123456+05:30", "2026-02-02T05:00:00.123456Z"),
        ("2026-02-02 10:30:00.1-08", "2026-02-02T18:30:00.100000Z"),
        ("2026-02-02T10:30:00Z", "2026-02-02T10:30:00.000000Z"),
        ("2026-02-02T10:30:00.123456+00:00", "2026-02-02T10:30:00.123456Z"),
        ("02.02.2026 10:30:00.5 +05:30", "2026-02-02T05:00:00.500000Z"),
        ("02.02.2026 10:30:00 UTC", "2026-02-02T10:30:00.000000Z"),
        ("Mon Feb 02 10:30:00.25 2026 UTC", "2026-02-02T10:30:00.250000Z"),
        ("Mon 02 Feb 10:30:00 2026 +0530", "2026-02-02T05:00:00.000000Z"),
        ("2026-02-02 10:30:00.000001 UTC", "2026-02-02T10:30:00.000001Z"),
        ("9999-12-31 23:59:59.999999+05:30", "9999-12-31T18:29:59.999999Z"),
        ("0001-01-01 00:00:00-00", "0001-01-01T00:00:00.000000Z"),
        ("1883-11-18 12:00:00-04:56:02", "1883-11-18T16:56:02.000000Z"),
    ],
)
def test_the_times_of_postgres_are_understood(written: str, meant: str) -> None:
    assert record({**SEED, "created_at": written}, is_own=False, user_id=None)["created_at"] == meant


@pytest.mark.parametrize(
    "written",
    ["2026-02-30 10:30:00+00", "2026-02-02 10:30:00", "infinity", "0044-03-15 12:00:00+00 BC", "yesterday", None],
)
def test_times_that_are_none_or_have_no_zone_are_refused(written: str | None) -> None:
    ((column, reason),) = refused(created_at=written)
    assert column == "created_at"
    assert "%" not in reason


def test_every_column_that_is_wrong_is_named() -> None:
    told = refused(
        id="7", prompt=None, aspect_ratio="2:1", unique_visual_elements="{a", reference_images_count="x", nonsense="1"
    )
    assert {column for column, _ in told} == {
        "id", "prompt", "aspect_ratio", "unique_visual_elements", "reference_images_count", "nonsense",
    }  # fmt: skip


def test_what_the_table_left_empty_is_filled() -> None:
    empty = dict.fromkeys(SEED_COLUMNS) | {"id": ID.upper(), "prompt": "x", "created_at": SEED["created_at"]}
    made = record(empty, is_own=False, user_id="alice")
    assert made["id"] == ID
    assert (made["user_id"], made["full_prompt"], made["aspect_ratio"], made["format"]) == ("alice", "x", "1:1", "png")
    assert made["reference_images_count"] == 0
    assert made["status"] == "succeeded"


def test_a_record_must_fit_and_hold_whole_characters() -> None:
    assert [column for column, _ in refused(prompt="x" * 400_000)] == ["prompt"]
    assert [column for column, _ in refused(unique_visual_elements='["\\ud83e"]')] == ["unique_visual_elements"]


def test_all_columns_are_known_to_an_export() -> None:
    cells = public({**SEED, "status": "failed", "reference_images_count": 0}, "")
    assert set(cells) == set(COLUMNS)
    assert set(record(cells, is_own=True, user_id=None)) == set(COLUMNS)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("seed", "4294967295", "must be less than or equal to 4294967294 (given: '4294967295')"),
        ("seed", "18446744073709551616", "must be less than or equal to 4294967294 (given: '18446744073709551616')"),
        ("seed", float(2**64), "is too large a number (given: 1.8446744073709552e+19)"),
        ("width", "18446744073709551616", "is too large a number"),
        ("cost_usd", "1e300", "is too large a number"),
        ("cost_usd", "nan", "must be a number, such as 0.04 (given: 'nan')"),
    ],
)
def test_numbers_that_are_too_large_say_so(column: str, value: object, reason: str) -> None:
    cells = public({**SEED, "status": "failed", "reference_images_count": 0}, "")
    with pytest.raises(RefusedRow) as caught:
        record({**cells, column: value}, is_own=True, user_id=None)
    assert caught.value.reasons == [(column, reason)]
