"""Every way to write a table gives the same rows, or is refused: nothing is read as something else."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli import tables
from cli.rows import record
from local.problem import ProblemError
from tests.unit import table_writers as writers

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)


def records(path: Path, data: bytes, **options: Any) -> list[dict[str, Any]]:
    path.write_bytes(data)
    with tables.opened(path, options=tables.Options(**options)) as table:
        rows = list(table.rows)
    assert not [row for row in rows if row.trouble]
    return [record(row.cells or {}, is_own=table.is_own, user_id=None) for row in rows]


def expected(rows: list[writers.Cells]) -> list[dict[str, Any]]:
    return [record(cells, is_own=False, user_id=None) for cells in rows]


@pytest.mark.parametrize("name", writers.ALWAYS)
@given(rows=writers.tables(writers.TEXTS))
@SETTINGS
def test_a_dialect_gives_the_same_rows(tmp_path: Path, name: str, rows: list[writers.Cells]) -> None:
    data = writers.ALWAYS[name](rows).encode()
    assert records(tmp_path / "table", data) == expected(rows)
    assert records(tmp_path / "table", gzip.compress(data, 1, mtime=0)) == expected(rows)


@pytest.mark.parametrize("name", writers.OFTEN)
@given(rows=writers.tables(writers.TEXTS))
@SETTINGS
def test_a_dialect_is_never_taken_for_another(tmp_path: Path, name: str, rows: list[writers.Cells]) -> None:
    if name == "unaligned":
        for cells in rows:
            for column in ("prompt", "full_prompt", "style"):
                cells[column] = cells[column] and "".join(" " if c in "|\r\n" else c for c in cells[column])
            cells["unique_visual_elements"] = ["a b", '"']
    try:
        found = records(tmp_path / "table", writers.OFTEN[name](rows).encode())
    except ProblemError as error:
        assert "--format" in str(error)  # noqa: PT017
    else:
        assert found == expected(rows)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@given(data=st.data())
@SETTINGS
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, line_end: str, data: st.DataObject) -> None:
    texts = st.sampled_from(["Größe", "café crème", "“quotes”, 5 €", "naïve", 'say "hi"', "plain", "l’été – à Łódź"])
    rows = data.draw(writers.tables(texts.filter(lambda text: encoding != "cp1252" or "Ł" not in text)))
    delimiter = data.draw(st.sampled_from(",;"))
    table = writers.by_csv_module(rows, delimiter=delimiter, lineterminator=line_end)
    assert records(tmp_path / "table", table.encode(encoding)) == expected(rows)
