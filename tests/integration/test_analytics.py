"""The fold and its reports on real tables: equal to counting by hand, whole at every moment, and able to forget."""

from __future__ import annotations

import random
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagetrail.analytics.folding import Folded
from imagetrail.analytics.forgetting import Forgetting
from imagetrail.analytics.lake import Lake, key
from imagetrail.analytics.reports import SHAPES, ReportQuery
from imagetrail.analytics.store import GRACE, Store, SupersededError, Turn
from imagetrail.callers import ANONYMOUS, Caller, owner_of
from imagetrail.dynamo import Expression
from imagetrail.erasure import NotYetError
from imagetrail.errors import Forbidden, Invalid, Unauthenticated
from imagetrail.records import index_keys
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.analytics import (
    DyingDynamo,
    Killed,
    Record,
    Trail,
    at,
    counted,
    fold_with,
    fresh_days,
    record,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.conftest import Stack

ADMIN = Caller("root", is_admin=True)


@pytest.fixture(scope="module")
def deployment(stack: Stack) -> Iterator[Deployment]:
    with closing(Deployment(Settings.from_environment(stack.environment("FoldDays")))) as deployment, _deaf(stack):
        yield deployment


@contextmanager
def _deaf(stack: Stack) -> Iterator[None]:
    """Without the stream, which tells of the tests' own changes at times that no test knows."""
    functions = stack.client("lambda")
    (mapping,) = functions.list_event_source_mappings(FunctionName=stack.resources["TouchDays"])["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@pytest.fixture
def trail(deployment: Deployment) -> Trail:
    return Trail(deployment)


@pytest.fixture
def day() -> date:
    return fresh_days(1)


def report(
    deployment: Deployment, name: str, first: date, days: int = 1, caller: Caller = ADMIN, **asked: Any
) -> dict[str, Any]:
    query = ReportQuery(report=name, from_=first, to=first + timedelta(days=days), limit=1_000, **asked)
    return deployment.reports.get(caller, query)


def rows_of(document: dict[str, Any]) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = SHAPES[document["report"]].names or ("period",)
    return {tuple(row[name] for name in names): row for row in document["rows"]}


def check(
    deployment: Deployment,
    records: list[Record],
    first: date,
    days: int,
    users: list[str | None],
    names: Iterable[str] = SHAPES,
) -> None:
    """Every report, for everybody and for each user, says what counting says."""
    scopes: list[tuple[Caller, list[Record]]] = [(ADMIN, records)]
    for user in users:
        own = [one for one in records if one.get("user_id") == user]
        scopes.append((ANONYMOUS if user is None else Caller(user), own))
    for caller, mine in scopes:
        for name in names:
            told, expected = rows_of(report(deployment, name, first, days, caller)), counted(mine, name)
            if name == "volume":
                told = {period: row for period, row in told.items() if row["records"]}
            assert told.keys() == expected.keys(), name
            for row_key, figures in expected.items():
                assert {measure: told[row_key][measure] for measure in figures} == figures, (name, row_key)


def test_the_stream_tells_of_every_change(stack: Stack, day: date) -> None:
    text = day.isoformat()
    with closing(Deployment(Settings.from_environment(stack.environment("FoldDays")))) as deployment:
        store, table = deployment.fold.store, deployment.settings.images_table
        one = record(at(day))
        item, anyway = {**one, **index_keys(one)}, Expression("attribute_not_exists(#x) OR attribute_exists(#x)")
        changes: list[Callable[[], None]] = [
            lambda: deployment.dynamo.put(table, item, anyway),
            lambda: deployment.dynamo.put(table, {**item, "favorite": True}, anyway),
            lambda: deployment.dynamo.delete(table, one["id"], anyway),
        ]

        def touched_since(moment: datetime) -> bool:
            return bool(store.touched().get(text, moment) > moment)

        for change in changes:
            before = datetime.now(UTC)
            change()
            until(partial(touched_since, before))


CHANGES = st.sampled_from(["create", "favorite", "trash", "restore", "settle", "delete", "erase", "poison", "fold"])


@given(st.lists(st.tuples(CHANGES, st.integers(0, 1_000)), min_size=5, max_size=40))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_is_told_as_counting_tells_it(deployment: Deployment, changes: list[tuple[str, int]]) -> None:
    trail, first, days, poisoned = Trail(deployment), fresh_days(3), 3, set[str]()
    mark = uuid4().hex[:8]
    users: list[str | None] = [None, f"ada-{mark}", f"bob-{mark}"]
    fold = deployment.fold

    def fold_all() -> set[str]:
        folded = Folded()
        for number in range(days):
            fold.fold((first + timedelta(days=number)).isoformat(), folded)
        return set(folded.skipped)

    for change, number in changes:
        chance = random.Random(number)  # noqa: S311 (the same for the same number)
        one = chance.choice(list(trail.records.values())) if trail.records else None
        if change == "create" or one is None:
            trail.write(_any_record(chance, first, days, users))
        elif change == "favorite":
            trail.write({**one, "favorite": not one["favorite"]})
        elif change == "trash":
            trail.write({**one, "deleted_at": one["created_at"]})
        elif change == "restore":
            trail.write({**one, "deleted_at": None})
        elif change == "settle" and one["status"] == "pending":
            trail.write({**one, "status": "succeeded", "generation_ms": number, "cost_usd": number / 1_000})
        elif change == "delete":
            trail.delete(one["id"])
        elif change == "erase":
            for gone in [held["id"] for held in trail.records.values() if held["user_id"] == one["user_id"]]:
                trail.delete(gone)
            if one["user_id"] is not None:
                forget(deployment, one["user_id"])
                # An account that is made anew is free once its tombstone has gone.
                users = [None if user == one["user_id"] else user for user in users]
        elif change == "poison":
            bad = trail.write(_any_record(chance, first, days, users), unique_visual_elements={"not": "a list"})
            poisoned.add(trail.records.pop(bad["id"])["id"])
        elif change == "fold":
            assert fold_all() == poisoned
    assert fold_all() == poisoned
    check(deployment, list(trail.records.values()), first, days, users)
    told = report(deployment, "volume", first, days)["skipped"]
    assert (told["records"], set(told["ids"])) == (len(poisoned), poisoned)


def _any_record(chance: random.Random, first: date, days: int, users: list[str | None]) -> Record:
    made = record(at(first + timedelta(days=chance.randrange(days)), chance.randrange(86_400)))
    status = chance.choice(["succeeded", "succeeded", "succeeded", "failed", "blocked", "pending"])
    made |= {
        "user_id": chance.choice(users),
        "status": status,
        "error": "model_failed: no picture"
        if status == "failed"
        else "content_blocked: no"
        if status == "blocked"
        else None,
        "prompt": chance.choice(["A red fox", "Golden hour over the lake", "湖の夜明け", "fox fox FOX"]),
        "style": chance.choice([None, "oil", "neon punk"]),
        "model": chance.choice(["procedural", "gemini"]),
        "cost_usd": chance.choice([None, 0, 0.03, 0.134]),
        "generation_ms": chance.choice([None, 5, 1_200]),
        "dataset_id": chance.choice([None, "019c1f00-0000-7000-8000-00000000cafe"]),
        "unique_visual_elements": chance.choice([None, [], ["brick", "oak"], ["oak", "oak"]]),
        "parent_id": chance.choice([None, None, "019c1f00-0000-7000-8000-00000000beef"]),
    }
    if chance.random() < 0.2:  # as an older version wrote it
        for column in ("model", "cost_usd", "generation_ms", "parent_id", "style"):
            del made[column]
    return made


def test_a_fold_killed_anywhere_leaves_the_old_report_or_the_new_one_whole(
    deployment: Deployment, trail: Trail, day: date
) -> None:
    ada, bob = f"ada-{uuid4()}", f"bob-{uuid4()}"
    trail.write(record(at(day), user_id=ada, cost_usd=0.01))
    deployment.fold.fold(day.isoformat(), Folded())
    before = [one.copy() for one in trail.records.values()]
    trail.write(record(at(day, 1), user_id=ada, cost_usd=0.02))
    trail.write(record(at(day, 2), user_id=bob, cost_usd=0.04))
    after = list(trail.records.values())
    seen = set()
    for last in range(40):
        try:
            fold_with(deployment, dynamo=DyingDynamo(deployment.dynamo, last)).fold(day.isoformat(), Folded())
        except Killed:
            told = report(deployment, "users", day)["total"]["records"]
            assert told in (len(before), len(after))
            check(deployment, before if told == len(before) else after, day, 1, [ada, bob], ["users"])
            seen.add(told)
        else:
            break
    assert seen == {1, 3}
    later = fold_with(deployment, now=lambda: datetime.now(UTC) + 2 * GRACE)
    later.fold(day.isoformat(), Folded())
    check(deployment, after, day, 1, [ada, bob])
    assert len(deployment.fold.store.rows_of("all", day.isoformat())) == 1
    assert len(deployment.fold.store.rows_of(owner_of(ada), day.isoformat())) == 1


class Meanwhile(Lake):
    """A lake before whose every writing something happens."""

    def __init__(self, deployment: Deployment, happens: Any) -> None:
        super().__init__(deployment.bucket)
        object.__setattr__(self, "happens", happens)

    def put(self, day: str, parquet: Path) -> None:
        self.happens()  # type: ignore[attr-defined]
        super().put(day, parquet)


def test_of_two_folds_at_once_the_one_that_began_last_counts(deployment: Deployment, trail: Trail, day: date) -> None:
    trail.write(record(at(day)))
    deployment.fold.store.untouch(day.isoformat(), deployment.fold.store.touched()[day.isoformat()])

    def other() -> None:
        trail.write(record(at(day, 1)))
        deployment.fold.fold(day.isoformat(), Folded())

    first = fold_with(deployment, lake=Meanwhile(deployment, other))
    with pytest.raises(SupersededError):
        first.fold(day.isoformat(), Folded())
    check(deployment, list(trail.records.values()), day, 1, [None])
    # The first one's file came last: the day is noted, and then made anew although its records are as they were.
    assert day.isoformat() in deployment.fold.store.touched()
    assert len(in_lake(deployment, day)) == 1
    later = fold_with(deployment, now=lambda: datetime.now(UTC) + 2 * GRACE)
    later.fold(day.isoformat(), Folded())
    assert len(in_lake(deployment, day)) == 2


def in_lake(deployment: Deployment, day: date) -> list[tuple[Any, ...]]:
    """The day's rows."""
    data = deployment.bucket.get(key(day.isoformat()))
    if data is None:
        return []
    with NamedTemporaryFile() as file, duckdb.connect() as database:
        file.write(data)
        file.flush()
        return database.execute("SELECT * FROM read_parquet(?) ORDER BY created_at", [file.name]).fetchall()


def test_a_day_that_has_not_changed_is_not_written_again(deployment: Deployment, trail: Trail, day: date) -> None:
    trail.write(record(at(day)))
    deployment.fold.fold(day.isoformat(), Folded())
    (row,) = deployment.fold.store.rows_of("all", day.isoformat())
    versions = deployment.bucket.versions(key(day.isoformat()))
    deployment.fold.fold(day.isoformat(), Folded())
    assert deployment.fold.store.rows_of("all", day.isoformat()) == [row]
    assert deployment.bucket.versions(key(day.isoformat())) == versions


def forget(deployment: Deployment, user: str) -> int:
    """What the job of an erasure does, and the fold it asks for; the user's reports that went."""
    gone, kicked = 0, []
    forgetting = Forgetting(store=deployment.fold.store, kick=lambda: kicked.append(True))
    for _ in range(20):
        try:
            if not (count := forgetting.forget(user)):
                assert bool(kicked) is bool(gone)
                return gone
            gone += count
        except NotYetError:
            deployment.fold.run()
    raise AssertionError("it does not end")


def test_a_day_whose_records_are_gone_is_empty(deployment: Deployment, trail: Trail, day: date) -> None:
    one = trail.write(record(at(day), user_id="ada"))
    deployment.fold.fold(day.isoformat(), Folded())
    trail.delete(one["id"])
    deployment.fold.fold(day.isoformat(), Folded())
    check(deployment, [], day, 1, ["ada"])
    assert deployment.bucket.versions(key(day.isoformat())) == []


def test_a_user_is_forgotten_without_a_trace(deployment: Deployment, trail: Trail, day: date) -> None:
    ada, bob = f"ada-{uuid4()}", f"bob-{uuid4()}"
    days = [day, day + timedelta(days=1)]
    for number, one in enumerate(days):
        trail.write(record(at(one), user_id=ada, prompt=f"the secret garden of {ada} {number}"))
        trail.write(record(at(one, 1), user_id=bob))
        deployment.fold.fold(one.isoformat(), Folded())
    # The index still shows the records, as it may for a moment.
    assert forget(deployment, ada) == 2
    kept = [one for one in trail.records.values() if one["user_id"] == bob]
    check(deployment, kept, day, 2, [ada, bob])
    assert deployment.fold.store.rows_of(owner_of(ada)) == []
    for one in days:
        assert len(deployment.bucket.versions(key(one.isoformat()))) == 1
        assert ada not in str(in_lake(deployment, one))
        assert bob in str(in_lake(deployment, one))


def test_a_fold_that_read_before_cannot_bring_a_forgotten_user_back(
    deployment: Deployment, trail: Trail, day: date
) -> None:
    ada = f"ada-{uuid4()}"
    one = trail.write(record(at(day), user_id=ada))
    trail.write(record(at(day, 1)))
    forgetting = Forgetting(store=deployment.fold.store, kick=lambda: None)

    class Slow(Store):
        def check(self, turn: Turn, holds: Callable[[str], bool]) -> None:
            trail.delete(one["id"])
            assert forgetting.forget(ada) == 1
            super().check(turn, holds)

    slow = replace(deployment.fold, store=Slow(deployment.dynamo, deployment.settings.reports_table))
    with pytest.raises(SupersededError):
        slow.fold(day.isoformat(), Folded())
    assert deployment.fold.store.rows_of(owner_of(ada)) == []
    assert in_lake(deployment, day) == []
    with pytest.raises(NotYetError):
        forgetting.forget(ada)
    assert forget(deployment, ada) == 0
    assert len(in_lake(deployment, day)) == 1


def test_a_fold_that_writes_late_is_waited_for(deployment: Deployment, trail: Trail, day: date) -> None:
    ada = f"ada-{uuid4()}"
    one = trail.write(record(at(day), user_id=ada))
    trail.write(record(at(day, 1)))
    forgetting = Forgetting(store=deployment.fold.store, kick=lambda: None)

    def erase_and_fold() -> None:
        trail.delete(one["id"])
        assert forgetting.forget(ada) == 1
        deployment.fold.fold(day.isoformat(), Folded())

    with pytest.raises(SupersededError):
        fold_with(deployment, lake=Meanwhile(deployment, erase_and_fold)).fold(day.isoformat(), Folded())
    assert ada in str(in_lake(deployment, day))
    with pytest.raises(NotYetError):
        forgetting.forget(ada)
    later = fold_with(deployment, now=lambda: datetime.now(UTC) + 2 * GRACE)
    later.fold(day.isoformat(), Folded())
    assert forgetting.forget(ada) == 0
    assert ada not in str(in_lake(deployment, day))


def test_a_run_folds_what_is_touched_and_once_more_what_changed_just_before(
    deployment: Deployment, trail: Trail, day: date
) -> None:
    trail.write(record(at(day)))
    text = day.isoformat()
    folded = deployment.fold.run()
    assert folded.days[text] == 1
    assert text in deployment.fold.store.touched()
    later = fold_with(deployment, now=lambda: datetime.now(UTC) + 2 * GRACE)
    assert text in later.run().days
    assert text not in deployment.fold.store.touched()
    assert text not in deployment.fold.run().days


def test_what_a_stream_tells_of_no_day_is_passed_over(deployment: Deployment, day: date) -> None:
    told = [
        {"dynamodb": {"Keys": {"id": {"S": "x"}}}},
        {"dynamodb": {"NewImage": {"created_day": {"N": "1"}}, "OldImage": None}},
        {"dynamodb": {"NewImage": {"created_day": {"S": "2026-02-30"}}}},
        {"dynamodb": {"NewImage": {"created_day": {"S": "../images"}}}},
        {"dynamodb": {"OldImage": {"created_day": {"S": day.isoformat()}}}},
    ]
    before = set(deployment.fold.store.touched())
    deployment.fold.touch({"Records": told})
    assert set(deployment.fold.store.touched()) - before == {day.isoformat()}


def test_a_range_can_be_folded_whether_touched_or_not(deployment: Deployment, trail: Trail, day: date) -> None:
    trail.write(record(at(day)))
    text = day.isoformat()
    deployment.fold.store.untouch(text, deployment.fold.store.touched()[text])
    assert text not in deployment.fold.run().days
    known = Expression("ADD #days :days", {"days": {text}})
    deployment.dynamo.update(deployment.settings.ledger_table, "days", known)
    assert deployment.fold.run(text, text).days[text] == 1
    assert text not in deployment.fold.store.touched()


@pytest.mark.parametrize("days", [("yesterday", None), ("2026-11-02", "2026-11-01"), (None, "2026-13-01")])
def test_what_is_no_range_of_days_is_refused(deployment: Deployment, days: tuple[str | None, str | None]) -> None:
    with pytest.raises(ValueError, match=r"format|later|month"):
        deployment.fold.run(*days)


def test_a_day_that_fails_stops_no_other(deployment: Deployment, trail: Trail, day: date) -> None:
    days = [day, day + timedelta(days=1)]
    for one in days:
        trail.write(record(at(one)))

    class Broken(Lake):
        def put(self, day: str, parquet: Path) -> None:
            if day == days[1].isoformat():
                raise OSError("no room")
            super().put(day, parquet)

    folded = fold_with(deployment, lake=Broken(deployment.bucket)).run()
    assert folded.failed == {days[1].isoformat(): "OSError"}
    assert folded.days[days[0].isoformat()] == 1
    assert days[1].isoformat() in deployment.fold.store.touched()
    deployment.fold.fold(days[1].isoformat(), Folded())


def test_no_day_is_begun_that_may_not_end_in_time(deployment: Deployment, trail: Trail, day: date) -> None:
    trail.write(record(at(day)))
    seconds = iter([0.0, *[400.0] * 100_000])
    folded = fold_with(deployment, elapsed=lambda: next(seconds)).run()
    assert folded.days == {}
    assert day.isoformat() in folded.left


def test_periods_and_the_days_before(deployment: Deployment, trail: Trail) -> None:
    first = date(2300, 1, 5) + timedelta(weeks=fresh_days(30).toordinal() % 30_000)
    assert first.weekday() in range(7)
    for number in range(20):
        made = record(at(first + timedelta(days=number - 10)), model="gemini" if number % 2 else "core", cost_usd=0.01)
        trail.write(made)
        deployment.fold.fold(made["created_at"][:10], Folded())
    document = report(deployment, "models", first, 10)
    assert (document["total"]["records"], document["previous"]["total"]["records"]) == (10, 10)
    assert {row["model"]: (row["records"], row["previous"]["records"]) for row in document["rows"]} == {
        "core": (5, 5),
        "gemini": (5, 5),
    }
    weeks = report(deployment, "volume", first, 10, by="week")["rows"]
    assert sum(row["records"] for row in weeks) == 10
    assert weeks[0]["period"] == first.isoformat()
    assert all(date.fromisoformat(row["period"]).weekday() == 0 for row in weeks[1:])
    months = report(deployment, "models", first, 10, by="month", sort="cost_usd")["rows"]
    assert sum(row["records"] for row in months) == 10
    assert {row["model"] for row in months} == {"core", "gemini"}


def test_everybody_sees_their_own_and_an_admin_all(deployment: Deployment, trail: Trail, day: date) -> None:
    ada, bob = f"ada-{uuid4()}", f"bob-{uuid4()}"
    for user in (ada, bob, bob, None):
        trail.write(record(at(day), user_id=user, prompt=f"made by {user}"))
    deployment.fold.fold(day.isoformat(), Folded())

    def seen(caller: Caller, **asked: Any) -> tuple[int, str, str | None]:
        document = report(deployment, "users", day, caller=caller, **asked)
        assert ("skipped" in document) is (document["scope"] == "all")
        return document["total"]["records"], document["scope"], document["user_id"]

    assert seen(ADMIN) == (4, "all", None)
    assert seen(ADMIN, user_id=bob) == (2, "user", bob)
    assert seen(Caller(ada)) == (1, "user", ada)
    assert seen(Caller(ada), user_id=ada) == (1, "user", ada)
    assert seen(ANONYMOUS) == (1, "anonymous", None)
    for caller in (Caller(ada), ANONYMOUS):
        with pytest.raises(Forbidden):
            seen(caller, user_id=bob)
        assert bob not in str([report(deployment, name, day, caller=caller) for name in SHAPES])


def test_anonymous_reports_can_be_closed_but_never_opened(stack: Stack) -> None:
    for setting in ("none", "all"):
        environment = {**stack.environment("GetAnalytics"), "ANONYMOUS_HISTORY": setting}
        with closing(Deployment(Settings.from_environment(environment))) as deployment:
            if setting == "none":
                with pytest.raises(Unauthenticated):
                    deployment.reports.get(ANONYMOUS, ReportQuery(report="volume"))
            else:
                assert deployment.reports.get(ANONYMOUS, ReportQuery(report="volume"))["scope"] == "anonymous"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from_": date(2999, 1, 1)}, "from"),
        ({"from_": date(2020, 1, 1), "to": date(2022, 1, 1)}, "to"),
    ],
)
def test_a_range_that_makes_no_sense(deployment: Deployment, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        deployment.reports.get(ADMIN, ReportQuery(report="volume", **asked))
    assert [name for name, _ in raised.value.errors] == [field]


def test_a_report_that_is_too_large_says_how_to_make_it_smaller(
    deployment: Deployment, trail: Trail, day: date
) -> None:
    words = " ".join(f"word{number}" for number in range(12))
    trail.write(record(at(day), prompt=words))
    deployment.fold.fold(day.isoformat(), Folded())
    assert len(report(deployment, "prompts", day, by="day")["rows"]) == 12
    small = replace(deployment.reports, most_rows=11)
    query = ReportQuery(report="prompts", from_=day, to=day + timedelta(days=1), by="day")
    with pytest.raises(Invalid, match="too much") as raised:
        small.get(ADMIN, query)
    assert raised.value.errors[0][0] == "by"
    assert len(small.get(ADMIN, replace(query, limit=11))["rows"]) == 11


def test_quota_use(stack: Stack, trail: Trail, day: date) -> None:
    ada = f"ada-{uuid4()}"
    for number in range(5):
        trail.write(record(at(day + timedelta(days=number // 3)), user_id=ada))
    trail.write(record(at(day), user_id=ada, status="failed"))
    environment = {**stack.environment("GetAnalytics"), "USER_DAILY_QUOTA": "3", "MONTHLY_BUDGET_USD": "20"}
    with closing(Deployment(Settings.from_environment(environment))) as limited:
        for number in range(2):
            trail.deployment.fold.fold((day + timedelta(days=number)).isoformat(), Folded())
        for caller in (ADMIN, Caller(ada)):
            document = report(limited, "quotas", day, 2, caller)
            (row,) = document["rows"]
            assert (row["days_active"], row["most_images_a_day"], row["days_at_limit"]) == (2, 3, 1)
            assert document["limits"] == {
                "user_daily_images": 3,
                "anonymous_daily_images": None,
                "monthly_budget_usd": 20.0,
            }


def test_a_file_of_many_parts_is_stored_whole(deployment: Deployment, day: date, tmp_path: Path) -> None:
    file = tmp_path / "day.parquet"
    for number in range(2):
        file.write_bytes(random.Random(number).randbytes(20 * 1024 * 1024))  # noqa: S311 (the same in every run)
        Lake(deployment.bucket).put(day.isoformat(), file)
    assert deployment.bucket.get(key(day.isoformat())) == file.read_bytes()
    assert len(deployment.bucket.versions(key(day.isoformat()))) == 1
    Lake(deployment.bucket).delete(day.isoformat())
    assert deployment.bucket.versions(key(day.isoformat())) == []
