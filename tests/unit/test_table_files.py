"""What cannot be imported gets one sentence about the file, and a damaged row costs only itself."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from cli import tables
from cli.columns import LONGEST_ROW
from cli.fetching import NotFetched
from cli.rows import RefusedRow, record
from imagetrail import spreadsheet
from imagetrail.records import SEED_COLUMNS
from local.problem import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

    from cli.columns import Row

ID = "4e7a5c7e-52a9-4d0a-9d0e-3c1b0f7f2a11"
HEADER = ",".join(SEED_COLUMNS)
ROW = f'{ID},,a fox,a fox,,,,16:9,high,png,2K,3,"[""a"", ""b""]",2026-02-02 10:30:00+00'
TABLE = f"{HEADER}\n{ROW}\n"
OBJECT = f'{{"id": "{ID}", "prompt": "a fox", "created_at": "2026-02-02T10:30:00Z"}}'
INSERT = "INSERT INTO generated_images (id, prompt, created_at) VALUES"


def read(path: Path, data: bytes | str, columns: tuple[str, ...] | None = None, **options: object) -> list[Row]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with tables.opened(path, columns, tables.Options(**options)) as table:  # type: ignore[arg-type]
        return list(table.rows)


def archive(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PGDMP\x01", "pg_restore"),
        (b"PGCOPY\n\xff\r\n\0", "binary format"),
        (b"toc.dat".ljust(257, b"\0") + b"ustar\0", "tar archive"),
        (b"PAR1\x15", "Parquet"),
        (archive("[Content_Types].xml"), "workbook"),
        (archive("table.csv"), "no generated_images.csv"),
        (b"BZh91AY", "bunzip2"),
        (b"\x01\x02\0\x03" * 99, "zero bytes"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "packed twice"),
        (gzip.compress(TABLE.encode(), mtime=0)[:60], "damaged or incomplete"),
        (gzip.compress(TABLE.encode(), mtime=0) + b"more", "damaged or incomplete"),
        (gzip.compress(b"0" * 70_000_000, mtime=0), "unpacks to more than"),
        (" id | prompt \n----+--------\n 1 | x\n(1 row)\n", "aligned output of psql"),
        ("+----+---+\n| id | b |\n+----+---+\n", "aligned output of psql"),
        ("-[ RECORD 1 ]-\nid | 1\n", "aligned output of psql"),
        ("a,b,c\n1,2,3\n", "not a header with a known column"),
        ("Dear reader,\nthis is a letter.\n", "not a table of images"),
        (f"Images of 2026\n{TABLE}", "the header is not the first row"),
        ("prompt,created_at\nx,y\n", "no column id, which every row needs"),
        (f"{HEADER},Image-URL\n{ROW},x\n", "the column image_url occurs more than once"),
        (f"{HEADER},updated_at,foo\n{ROW},x,y\n", "not imported: 'updated_at', 'foo'"),
        ('[{"json_agg": []}]', "no known column"),
        ("--\nINSERT INTO datasets VALUES (1);\n", "no data of the table generated_images"),
        (f"--\nCOPY generated_images (id, prompt, created_at) FROM stdin;\n{ID}\ta", "cut off"),
        (f"{INSERT} ('{ID}', 'a", "cut off"),
        (f"SET standard_conforming_strings = off;\n{INSERT} ('{ID}', 'a', 'b');", "standard_conforming_strings"),
        (TABLE.encode("utf-16")[:-1], "cut off"),
        (TABLE.replace("a fox", "лиса в снегу").encode("cp1251"), "--encoding"),
        (TABLE.replace("a fox", "zażółć gęślą jaźń").encode("cp1250"), "--encoding"),
        (TABLE.replace("a fox", "Crème brûlée").encode("mac_roman"), "--encoding"),
        (TABLE.replace("a fox", "é", 1).encode() + ROW.replace("fox", "déjà éé").encode("cp1252"), "mixes"),
        (f"{ID}\t\"a\"\tx\t2026-02-02 10:30:00+00\n".encode(), "--format text --delimiter tab or --format csv"),
    ],
)  # fmt: skip
def test_a_file_gets_one_sentence(tmp_path: Path, data: bytes | str, words: str) -> None:
    columns = ("id", "prompt", "style", "created_at") if data[:1] in (ID[:1], ID[:1].encode()) else None
    with pytest.raises(ProblemError) as caught:
        read(tmp_path / "table", data, columns)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nope", "hex", "rot13", "undefined"])
def test_an_encoding_must_be_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProblemError, match="encoding"):
        read(tmp_path / "table", TABLE, encoding=name)


def test_what_is_given_is_not_recognized(tmp_path: Path) -> None:
    cyrillic = TABLE.replace("a fox", "лиса").encode("cp1251")
    (row,) = read(tmp_path / "table", cyrillic, encoding="windows-1251")
    assert (row.cells or {})["prompt"] == "лиса"
    quoted = f'{ID}\t"a"\tx\t2026-02-02 10:30:00+00\n'
    columns = ("id", "prompt", "style", "created_at")
    for file_format, prompt in (("text", '"a"'), ("csv", "a")):
        (row,) = read(tmp_path / "table", quoted, columns, format=file_format, delimiter="\t")
        assert (row.cells or {})["prompt"] == prompt


def test_unknown_columns_may_be_skipped(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "table", f"{HEADER},updated_at\n{ROW},x\n", ignore_unknown=True)
    assert set(row.cells or {}) == set(SEED_COLUMNS)


def test_windows_1252_is_told(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(TABLE.replace("a fox", "naïve “café”").encode("cp1252"))
    with tables.opened(tmp_path / "table") as table:
        assert "Windows-1252" in table.note
        assert [(row.cells or {})["prompt"] for row in table.rows] == ["naïve “café”"]


@pytest.mark.parametrize("null", [r"\N", "NULL"])
def test_the_null_of_a_file_is_that_of_its_typed_columns(tmp_path: Path, null: str) -> None:
    marked = TABLE.replace(",,,,", f",{null},{null},{null},").replace(",,", f",{null},")
    (row,) = read(tmp_path / "table", marked)
    assert (row.cells or {})["style"] is None
    (row,) = read(tmp_path / "table", TABLE.replace(",16:9", f"{null},16:9"))
    assert (row.cells or {})["style"] == null


def test_a_row_that_is_too_long_is_refused_alone(tmp_path: Path) -> None:
    long = "x" * LONGEST_ROW
    for data in (
        f"{HEADER}\n{ROW.replace('a fox', long)}\n{ROW}\n",
        TABLE.replace("a fox", f'"{long}\n"', 1) + ROW,
        f"{OBJECT.replace('a fox', long)}\n{OBJECT}\n",
        f"{INSERT} ('{ID}', '{long}', 'x'), ('{ID}', 'a', 'b');",
    ):
        first, second = read(tmp_path / "table", data)
        assert "longer than 4,000,000 characters" in first.trouble
        assert second.cells


def test_rows_of_json_fail_alone(tmp_path: Path) -> None:
    twice = OBJECT.replace('"a fox"', '"a", "Prompt": "b"')
    again = OBJECT.replace('"a fox"', '"a", "prompt": "b"')
    rows = read(tmp_path / "table", f"{OBJECT}\n{twice}\n{again}\nno json\n[1]\n{OBJECT}\n")
    assert [row.trouble for row in rows] == [
        "", "has the column prompt more than once", "has the column prompt more than once", "is not JSON",
        "is not a JSON object", "",
    ]  # fmt: skip
    assert [row.line for row in rows] == [1, 2, 3, 4, 5, 6]


def test_expressions_of_an_insert_fail_alone(tmp_path: Path) -> None:
    rows = read(
        tmp_path / "table",
        f"INSERT INTO generated_images (id, prompt, created_at, unique_visual_elements) VALUES\n"
        f"('{ID}', 'a', now(), NULL),\n"
        f"('{ID}'::uuid, E'b\\'\\n', timestamptz '2026-02-02', ARRAY['x', 'y']::text[]);\n",
    )
    assert rows[0].trouble == "has an expression that is not a constant: now ( )"
    assert rows[1] == (
        3,
        {"id": ID, "prompt": "b'\n", "created_at": "2026-02-02", "unique_visual_elements": ["x", "y"]},
        "",
    )


def test_a_picture_of_an_archive_that_is_damaged_is_not_fetched(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as made:
        made.writestr("generated_images.csv", spreadsheet.csv_header())
        made.writestr("images/a.png", b"pixels")
    data = (tmp_path / "export.zip").read_bytes().replace(b"pixels", b"pixelz")
    (tmp_path / "export.zip").write_bytes(data)
    with tables.opened(tmp_path / "export.zip") as table, pytest.raises(NotFetched, match="damaged"):
        table.picture("images/a.png")


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("prompt", None, "is empty; every row needs one"),
        ("style", 7, "must be a text (given: 7)"),
        ("reference_images_count", "three", "must be a whole number, such as 3 (given: 'three')"),
        ("quality", "best" * 99, "must be one of 'draft', 'standard' or 'high' (given: 'bestbest"),
        ("unique_visual_elements", "{a", 'must be a list of texts, such as ["wooden tables"]'),
        ("unique_visual_elements", '["a", null]', 'must be a list of texts, such as ["wooden tables"]'),
        ("created_at", "2026-02-02", "must be a time with its zone, such as 2026-02-02 10:30:00+00"),
        ("created_at", "2026-02-30 10:00:00+00", "there is no such day or hour (given: '2026-02-30 10:00:00+00')"),
        ("created_at", "02/03/2026 10:00:00 UTC", "the order of day and month is unknown"),
        ("created_at", "2026-02-02 10:30:00 CET", "the zone CET is not an offset"),
        ("created_at", "infinity", "infinity is not a time"),
        ("created_at", "9999-12-31 23:59:59-01", "must lie between the years 1 and 9999 in UTC"),
        ("created_at", "0001-01-01 00:00:00+01", "must lie between the years 1 and 9999 in UTC"),
        ("created_at", "10000-01-01 00:00:00+00", "must lie between the years 1 and 9999 in UTC"),
        ("created_at", 1_770_000_000, "(given: 1770000000)"),
    ],
)
def test_a_reason_says_what_is_expected_and_what_was_given(column: str, value: object, reason: str) -> None:
    cells = {"id": ID, "prompt": "x", "created_at": "2026-02-02 10:30:00+00", column: value}
    with pytest.raises(RefusedRow) as caught:
        record(cells, is_own=False, user_id=None)
    ((named, told),) = caught.value.reasons
    assert named == column
    assert reason in told
    assert len(told) < 220


@pytest.mark.parametrize(
    ("written", "meant"),
    [("{}", []), ("{a,b}", ["a", "b"]), ('{"a b","c,\\"d\\""}', ["a b", 'c,"d"']), ("[]", []), ('["a"]', ["a"])],
)
def test_lists_may_be_json_or_arrays(written: str, meant: list[str]) -> None:
    cells = {"id": ID, "prompt": "x", "created_at": "2026-02-02 10:30:00+00", "unique_visual_elements": written}
    assert record(cells, is_own=False, user_id=None)["unique_visual_elements"] == meant
