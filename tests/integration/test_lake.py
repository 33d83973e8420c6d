"""The lake through Athena's API: every question of sql/ runs, and what it answers is right."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cli.sql import as_table, write_csv
from imagetrail.analytics.athena import QueryFailedError
from imagetrail.analytics.folding import Folded
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.analytics import Trail, at, fresh_days, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from tests.conftest import Stack

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "sql").glob("*.sql"))


@pytest.fixture(scope="module")
def deployment(stack: Stack) -> Iterator[Deployment]:
    environment = {**stack.environment("FoldDays"), "LAKE": stack.outputs["Lake"]}
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def today(deployment: Deployment) -> date:
    """A day of records of every kind."""
    day, trail = datetime.now(UTC).date(), Trail(deployment)
    original = record(at(day), model="gemini", prompt="A lighthouse in the mist")
    trail.write(original)
    for number in range(12):
        trail.write(
            record(
                at(day, number),
                user_id=f"sql-{number % 2}",
                model="gemini",
                prompt="A lighthouse in the mist",
                parent_id=original["id"],
                style="oil",
                status="failed" if number % 4 == 3 else "succeeded",
                error="model_failed: no answer" if number % 4 == 3 else None,
                favorite=number % 3 == 0,
                cost_usd=0.134,
                generation_ms=1_000 + number,
                dataset_id="019c1f00-0000-7000-8000-00000000cafe",
                dataset_version=1,
                unique_visual_elements=["sql lantern", "sql fog"] if number % 2 else ["sql lantern"],
                dropped_params=["seed"],
                reference_images=[{"key": "references/a", "sha256": "00"}],
            )
        )
    deployment.fold.fold(day.isoformat(), Folded())
    return day


def ask(deployment: Deployment, sql: str) -> list[dict[str, str | None]]:
    answer = deployment.athena.run(sql)
    return [dict(zip([column.name for column in answer.columns], row, strict=True)) for row in answer.rows]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_question_has_an_answer(deployment: Deployment, today: date, file: Path) -> None:
    rows = ask(deployment, file.read_text())
    assert rows
    told = str(rows)
    match file.stem:
        case "most_regenerated_prompts":
            assert {"prompt": "A lighthouse in the mist", "model": "gemini"}.items() <= rows[0].items()
        case "volume_and_cost_by_day":
            assert today.isoformat() in told
        case "failures":
            assert "model_failed: no answer" in told
        case "latency_by_model":
            (gemini,) = [row for row in rows if row["model"] == "gemini"]
            assert int(gemini["p99"] or 0) >= 1_010
        case "cost_by_user":
            (own,) = [row for row in rows if row["user_id"] == "sql-1"]
            assert (own["images"], own["cost_usd"]) == ("3", "0.804000")


def test_the_most_used_visual_elements(deployment: Deployment) -> None:
    trail, day, mark = Trail(deployment), fresh_days(1), uuid4().hex
    for number in range(3):
        elements = [f"brick {mark}", f"oak {mark}"] if number else [f"oak {mark}"]
        trail.write(record(at(day, number), unique_visual_elements=elements))
    trail.write(record(at(day, 9)))
    deployment.fold.fold(day.isoformat(), Folded())
    query = (ROOT / "sql" / "most_used_visual_elements.sql").read_text().replace("LIMIT 10", "LIMIT 10000")
    counts = {row["element"]: row["usage_count"] for row in ask(deployment, query)}
    assert (counts[f"oak {mark}"], counts[f"brick {mark}"]) == ("3", "2")


def test_values_come_back_as_they_were(deployment: Deployment) -> None:
    trail, day = Trail(deployment), fresh_days(1)
    made = record(
        at(day, 3_600),
        user_id="ünï-漢字",
        prompt='Quotes " and \\ and\nlines, 🦊',
        cost_usd=0.1,
        seed=4_294_967_294,
        favorite=True,
        unique_visual_elements=["a, b", 'c "d"'],
    )
    trail.write(made)
    deployment.fold.fold(day.isoformat(), Folded())
    fields = "user_id, prompt, cost_usd * 3 AS thrice, seed, favorite, element, created_at"
    unnested = "generated_images CROSS JOIN UNNEST(unique_visual_elements) AS t (element)"
    rows = ask(deployment, f"SELECT {fields} FROM {unnested} WHERE day = '{day}' ORDER BY element")  # noqa: S608 (ours)
    assert [row["element"] for row in rows] == ["a, b", 'c "d"']
    assert (rows[0]["user_id"], rows[0]["prompt"]) == (made["user_id"], made["prompt"])
    assert (rows[0]["thrice"], rows[0]["seed"], rows[0]["favorite"]) == ("0.300000", "4294967294", "true")
    assert str(rows[0]["created_at"]).startswith(f"{day} 01:00:00")


@pytest.mark.usefixtures("today")
def test_a_query_that_is_wrong_is_told_why(deployment: Deployment) -> None:
    with pytest.raises(QueryFailedError, match="colour"):
        deployment.athena.run("SELECT colour FROM generated_images")


def test_long_answers_are_read_to_their_end_and_shown_in_part(deployment: Deployment) -> None:
    digits = ", ".join(f"({digit})" for digit in range(10))
    numbers = ", ".join(f"(VALUES {digits}) AS {name} (n)" for name in "abcd")
    number = "1 + a.n + 10 * b.n + 100 * c.n + 1000 * d.n"
    query = f"SELECT {number} AS n, 'x' AS name FROM {numbers} ORDER BY n LIMIT 2500"  # noqa: S608 (ours)
    text = io.StringIO()
    write_csv(deployment.athena.run(query), text)
    rows = list(csv.reader(io.StringIO(text.getvalue())))
    assert (rows[0], rows[1], rows[-1], len(rows)) == (["n", "name"], ["1", "x"], ["2500", "x"], 2_501)
    head, rule, first, *_, last = as_table(deployment.athena.run(query))
    assert (head, rule, first) == ("   n  name", "----  ----", "   1  x")
    assert last == "… only the first 1,000 rows; --csv writes all"


@pytest.mark.usefixtures("today")
def test_an_empty_answer_is_a_table_without_rows(deployment: Deployment) -> None:
    answer = deployment.athena.run("SELECT id, seed FROM generated_images WHERE day = '1999-01-01'")
    assert list(as_table(answer)) == ["id  seed", "--  ----"]


def test_answers_do_not_stay(stack: Stack, deployment: Deployment) -> None:
    rules = stack.client("s3").get_bucket_lifecycle_configuration(Bucket=deployment.settings.bucket)["Rules"]
    (rule,) = [rule for rule in rules if rule.get("Filter", {}).get("Prefix") == "answers/"]
    assert (rule["Expiration"]["Days"], rule["Status"]) == (1, "Enabled")
    assert timedelta(days=rule["NoncurrentVersionExpiration"]["NoncurrentDays"]) == timedelta(days=1)


def test_a_lake_without_a_day_has_empty_answers(stack: Stack, deployment: Deployment) -> None:
    glue, lake = stack.client("glue"), deployment.settings.lake
    table = glue.get_table(DatabaseName=lake, Name="generated_images")["Table"]
    empty = {**table["StorageDescriptor"], "Location": f"s3://{deployment.settings.bucket}/lake/nothing/"}
    made = {"Name": "nothing_yet", "StorageDescriptor": empty, "PartitionKeys": table["PartitionKeys"]}
    glue.create_table(DatabaseName=lake, TableInput=made)
    for file in FILES:
        assert ask(deployment, file.read_text().replace("FROM generated_images", "FROM nothing_yet")) is not None
