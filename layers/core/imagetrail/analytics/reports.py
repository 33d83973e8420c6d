"""Reports: rollups of days added up over a range, for everybody or for one user, as tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from imagetrail import moments
from imagetrail.analytics.figures import figures, latency_of, rank
from imagetrail.analytics.rollup import SETTINGS, Rollup, Table, measures, records, unpacked
from imagetrail.analytics.store import EVERYBODY
from imagetrail.callers import ANONYMOUS_OWNER, owner_of
from imagetrail.errors import Forbidden, Invalid, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from imagetrail.allowances import Limits
    from imagetrail.analytics.store import Store
    from imagetrail.callers import Caller
    from imagetrail.dynamo import Item
    from imagetrail.settings import AnonymousHistory

Document = dict[str, Any]

MOST_DAYS = 366
_USUAL_DAYS = 30
_MOST_ROWS = 10_000
_OF_QUOTAS = ("days_active", "most_images_a_day", "days_at_limit")


class Shape(NamedTuple):
    """What a report is made of: tables of the rollup, and what a row's key is called."""

    tables: tuple[str, ...]
    names: tuple[str, ...]


SHAPES: Mapping[str, Shape] = {
    "volume": Shape((), ()),
    "users": Shape(("users",), ("user_id",)),
    "datasets": Shape(("datasets",), ("dataset_id",)),
    "visual-elements": Shape(("elements",), ("element",)),
    "prompts": Shape(("terms",), ("term",)),
    "settings": Shape(SETTINGS, ("setting", "value")),
    "models": Shape(("models",), ("model",)),
    "failures": Shape(("failures",), ("code", "model")),
    "quotas": Shape(("users",), ("user_id",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    """Which report, of which days (`to` is not included), in which order; `by` gives a row for each period."""

    report: str
    from_: date | None = None
    to: date | None = None
    by: str | None = None
    sort: str = "records"
    order: str = "desc"
    min_records: int = 1
    limit: int = 50
    user_id: str | None = None


class _Days(NamedTuple):
    """Days from one to before another."""

    first: date
    end: date

    def before(self) -> _Days:
        return _Days(self.first - (self.end - self.first), self.first)

    def within(self, rollups: Mapping[str, Rollup]) -> dict[str, Rollup]:
        return {day: held for day, held in rollups.items() if self.first.isoformat() <= day < self.end.isoformat()}

    def as_json(self) -> Document:
        return {"from": self.first.isoformat(), "to": self.end.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Two queries a report, whatever the number of records. `most_rows` of some 400 bytes fit into Lambda's answer."""

    store: Store
    anonymous_history: AnonymousHistory
    limits: Limits
    most_rows: int = _MOST_ROWS
    now: Callable[[], datetime] = moments.utc_now

    def get(self, caller: Caller, query: ReportQuery) -> Document:
        """The report as far as the caller may see. Raises Invalid, Forbidden and Unauthenticated."""
        scope, days = self._scope(caller, query), self._days(query)
        shape = SHAPES[query.report]
        packed, folds = self.store.read(
            scope, days.before().first.isoformat(), (days.end - timedelta(days=1)).isoformat()
        )
        tables = shape.tables if scope == EVERYBODY or shape.tables != ("users",) else ()
        rollups = {day: unpacked(held, tables) for day, held in packed.items()}
        now, before = days.within(rollups), days.before().within(rollups)
        report = _Report(query, shape, scope, days, now, before, self.limits.user_daily_quota, self.most_rows)
        folds = [fold for fold in folds if fold["day"] >= days.first.isoformat()]
        document: Document = {
            "report": query.report,
            "user_id": None if scope in (EVERYBODY, ANONYMOUS_OWNER) else scope.removeprefix("user:"),
            "scope": scope.partition(":")[0],
            **days.as_json(),
            "by": query.by or (None if shape.names else "day"),
            "as_of": max((fold["folded_at"] for fold in folds), default=None),
            "total": figures(_total(now)),
            "previous": days.before().as_json() | {"total": figures(_total(before))},
            **report.body(),
        }
        if query.report == "quotas":
            document["limits"] = self._limits()
        if scope == EVERYBODY:
            document["skipped"] = _skipped(folds)
        return document

    def _scope(self, caller: Caller, query: ReportQuery) -> str:
        if caller.user_id is None and not caller.is_admin:
            if self.anonymous_history == "none":
                raise Unauthenticated("This deployment shows its reports to signed-in callers only.", with_token=False)
            if query.user_id is not None:
                raise Forbidden("Without a token there are only the figures of what belongs to nobody.")
            return ANONYMOUS_OWNER
        if query.user_id is not None:
            if not caller.is_admin and query.user_id != caller.user_id:
                raise Forbidden("Only an admin may see the figures of somebody else.")
            return owner_of(query.user_id)
        return EVERYBODY if caller.is_admin else caller.owner

    def _days(self, query: ReportQuery) -> _Days:
        tomorrow = self.now().date() + timedelta(days=1)
        end = query.to or (tomorrow if query.from_ is None else max(tomorrow, query.from_))
        first = query.from_ or end - timedelta(days=_USUAL_DAYS)
        if first >= end:
            raise Invalid("These days are still to come.", errors=[("from", "must be today or earlier")])
        if (end - first).days > MOST_DAYS:
            detail = f"must be at most {MOST_DAYS} days after from; it is {(end - first).days}"
            late = ("from", f"lies {(end - first).days} days back: give `to`, at most {MOST_DAYS} days later")
            raise Invalid("The range is too long.", errors=[("to", detail) if query.to else late])
        return _Days(first, end)

    def _limits(self) -> Document:
        limits = self.limits
        return {
            "user_daily_images": limits.user_daily_quota or None,
            "anonymous_daily_images": limits.anonymous_daily_quota or None,
            "monthly_budget_usd": float(limits.monthly_budget_usd) or None,
        }


@dataclass(frozen=True, slots=True)
class _Report:
    """The rows of one report."""

    query: ReportQuery
    shape: Shape
    scope: str
    days: _Days
    now: Mapping[str, Rollup]
    before: Mapping[str, Rollup]
    quota: int
    most_rows: int

    def body(self) -> Document:
        """The rows, how many there are, and what they may lack."""
        if not self.shape.names:
            rows = [self._row(None, _total(held), period) for period, held in self._periods().items()]
            return {"rows": rows, "count": len(rows), "rows_left_out": 0, "left_out_at_most": 0}
        table = self._table(self.now)
        cells = {key: cell for key, cell in table.rows.items() if records(cell) >= self.query.min_records}
        keys = rank(cells, self.query.sort, descending=self.query.order == "desc")[: self.query.limit]
        rows = self._compared(table, keys) if self.query.by is None else self._by_period(keys)
        return {
            "rows": rows,
            "count": len(rows),
            "rows_left_out": len(cells) - len(keys),
            "left_out_at_most": table.floor,
        }

    def _compared(self, table: Table, keys: list[str]) -> list[Document]:
        past = self._table(self.before)
        return [
            self._row(key, table.rows[key], lacks=table.lacks.get(key, 0))
            | self._extras(key, self.now)
            | {"previous": figures(past.rows.get(key, 0))}
            for key in keys
        ]

    def _by_period(self, keys: list[str]) -> list[Document]:
        rows = [
            self._row(key, table.rows[key], period, table.lacks.get(key, 0)) | self._extras(key, held)
            for period, held in self._periods().items()
            for table in (self._table(held),)
            for key in keys
            if key in table.rows
        ]
        if len(rows) > self.most_rows:
            detail = (
                f"gives {len(rows)} rows, and an answer has at most {self.most_rows}: take longer periods, fewer days"
            )
            raise Invalid("That is too much for one answer.", errors=[("by", f"{detail} or a smaller limit")])
        return rows

    def _row(self, key: str | None, cell: int, period: date | None = None, lacks: int = 0) -> Document:
        row: Document = {} if period is None else {"period": period.isoformat()}
        if key is not None:
            row |= self._named(key)
        row |= figures(cell)
        return row | ({"records_at_most": row["records"] + lacks} if lacks else {})

    def _named(self, key: str) -> Document:
        values = key.split(" ", len(self.shape.names) - 1) if len(self.shape.names) > 1 else [key]
        if self.shape.names == ("user_id",):
            return {"user_id": _user_of(key)}
        return dict(zip(self.shape.names, values, strict=True))

    def _extras(self, key: str, held: Mapping[str, Rollup]) -> Document:
        if self.query.report == "models":
            return {"latency_ms": latency_of(rollup.latency.get(key) for rollup in held.values())}
        if self.query.report != "quotas":
            return {}
        images = [measures(self._table({day: rollup}).rows.get(key, 0))["succeeded"] for day, rollup in held.items()]
        limited = self.quota and key != ANONYMOUS_OWNER
        at_limit = sum(n >= self.quota for n in images) if limited else None
        return dict(zip(_OF_QUOTAS, (sum(map(bool, images)), max(images, default=0), at_limit), strict=True))

    def _table(self, held: Mapping[str, Rollup]) -> Table:
        """The report's tables added up."""
        if self.shape.tables == ("users",) and self.scope != EVERYBODY:
            own = Table()
            if total := _total(held):
                own.rows[self.scope] = total
            return own
        added = Table()
        for name in self.shape.tables:
            one = added_up([rollup.tables[name] for rollup in held.values() if name in rollup.tables])
            prefix = f"{name} " if len(self.shape.tables) > 1 else ""
            added.rows |= {prefix + key: cell for key, cell in one.rows.items()}
            added.lacks |= {prefix + key: number for key, number in one.lacks.items()}
            added.floor = max(added.floor, one.floor)
        return added

    def _periods(self) -> dict[date, dict[str, Rollup]]:
        """The rollups by period, in order; every period of the range is there."""
        periods: dict[date, dict[str, Rollup]] = defaultdict(dict)
        for number in range((self.days.end - self.days.first).days):
            day = self.days.first + timedelta(days=number)
            period = periods[max(_start(day, self.query.by or "day"), self.days.first)]
            if (text := day.isoformat()) in self.now:
                period[text] = self.now[text]
        return periods


def columns(query: ReportQuery) -> list[str]:
    """The columns of a report as CSV."""
    shape, said = SHAPES[query.report], list(figures(0))
    extras = {"models": ["latency_ms_p50", "latency_ms_p90", "latency_ms_p99"], "quotas": list(_OF_QUOTAS)}
    columns = (["period"] if query.by or not shape.names else []) + [*shape.names, *said]
    columns += extras.get(query.report, [])
    return columns + ([f"previous_{name}" for name in said] if shape.names and not query.by else [])


def added_up(tables: list[Table]) -> Table:
    """One table of many. A row lacks what its days may have forgotten of it."""
    added = Table()
    added.floor = sum(table.floor for table in tables)
    for table in tables:
        for key, cell in table.rows.items():
            added.rows[key] = added.rows.get(key, 0) + cell
            if added.floor:
                known = table.floor - table.lacks.get(key, 0)
                added.lacks[key] = added.lacks.get(key, added.floor) - known
    return added


def _total(held: Mapping[str, Rollup]) -> int:
    return sum(rollup.total for rollup in held.values())


def _user_of(owner: str) -> str | None:
    return None if owner == ANONYMOUS_OWNER else owner.removeprefix("user:")


def _start(day: date, by: str) -> date:
    match by:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
    return day


def _skipped(folds: Iterable[Item]) -> Document:
    folds = list(folds)
    return {
        "records": sum(fold["skipped"] for fold in folds),
        "ids": [image_id for fold in folds for image_id in fold["skipped_ids"]][:50],
    }
