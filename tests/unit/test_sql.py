"""Every question of sql/ is Trino's own dialect, over the columns that the lake has."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from samtranslator.yaml_helper import yaml_parse
from sqlglot import ErrorLevel, exp
from sqlglot.optimizer.qualify import qualify

from cli.sql import as_table, is_question, write_csv
from imagetrail.analytics.athena import Answer, Column
from imagetrail.analytics.rows import SCHEMA

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "sql").glob("*.sql"))
TABLE: dict[str, object] = {**SCHEMA, "day": "string"}


def parsed(sql: str) -> exp.Select:
    (query,) = sqlglot.parse(sql, read="trino", error_level=ErrorLevel.RAISE)
    assert isinstance(query, exp.Select)
    return query


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_question_is_trinos_dialect(file: Path) -> None:
    query = parsed(file.read_text())
    # What sqlglot does not know by name, Trino does not either.
    assert [function.name for function in query.find_all(exp.Anonymous)] == []
    # Written out again as Trino's, it still says the same.
    assert parsed(query.sql(dialect="trino")) == query
    # Every column is one of the table's, or of the query's own.
    qualify(query, schema={"generated_images": TABLE}, dialect="trino", validate_qualify_columns=True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_question_may_be_asked(file: Path) -> None:
    assert is_question(file.read_text())


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("select 1;", True),
        ("-- drop\n/* delete; */ WITH a AS (SELECT ';' AS x) SELECT * FROM a", True),
        ("(SELECT 1) UNION (SELECT 2)", True),
        ("SHOW TABLES", True),
        ("DESCRIBE generated_images", True),
        ("", False),
        (" -- nothing", False),
        ("SELECT 1; SELECT 2", False),
        ("SELECT 1; DROP TABLE generated_images", False),
        ("DROP TABLE generated_images", False),
        ("/* select */ DELETE FROM generated_images", False),
        ("COPY generated_images TO 'x'", False),
        ("selection", False),
    ],
)
def test_what_changes_something_is_no_question(query: str, asked: bool) -> None:
    assert is_question(query) is asked


def test_an_answer_runs_nothing_in_a_spreadsheet_and_nothing_in_a_terminal() -> None:
    columns = [Column("prompt", is_number=False), Column("cost", is_number=True)]
    text = io.StringIO()
    write_csv(Answer(columns, iter([["=1+1", "-2"], ["a\x1b[31mb", None]]), 0), text)
    assert text.getvalue().splitlines() == ["prompt,cost", "'=1+1,-2", "a\x1b[31mb,"]
    answer = Answer(columns, iter([["a\x1b[31mb", None]]), 0)
    assert list(as_table(answer))[2].split() == ["a\N{REPLACEMENT CHARACTER}[31mb"]


def test_the_check_sees_what_is_not_trinos() -> None:
    with pytest.raises(sqlglot.errors.SqlglotError):
        parsed("SELECT FROM WHERE")
    assert list(parsed("SELECT list_distinctly(prompt) FROM generated_images").find_all(exp.Anonymous))
    query = parsed("SELECT colour FROM generated_images")
    with pytest.raises(sqlglot.errors.OptimizeError):
        qualify(query, schema={"generated_images": TABLE}, dialect="trino", validate_qualify_columns=True)


def test_the_most_used_visual_elements_are_asked_for_as_ever() -> None:
    """The question that the product has been asked from its first day, its unnesting in Trino's words."""
    query = parsed((ROOT / "sql" / "most_used_visual_elements.sql").read_text())
    assert [column.alias_or_name for column in query.selects] == ["element", "usage_count"]
    assert query.find(exp.Unnest) is not None


def test_the_catalog_has_the_columns_that_the_lake_has() -> None:
    resources: dict[str, Any] = yaml_parse((ROOT / "infra" / "lake.yaml").read_text())["Resources"]
    table = resources["Images"]["Properties"]["TableInput"]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert columns == SCHEMA, "infra/lake.yaml must list every column of analytics.rows.SCHEMA"
    assert table["Name"] == "generated_images"
