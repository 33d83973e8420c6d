"""Every question of sql/ is Trino's own dialect, over the columns that the lake has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlglot
from samtranslator.yaml_helper import yaml_parse
from sqlglot import ErrorLevel, exp
from sqlglot.optimizer.qualify import qualify

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
