"""Re-computes what past images cost, from the dated table of prices, after a row of it was corrected."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from cli.legible import illegible
from cli.walk import slices
from imagetrail import prices
from imagetrail.dynamo import ConditionFailedError, Expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any

    from imagetrail.dynamo import Item
    from imagetrail.wiring import Deployment

_WRITERS = 8


@dataclass(slots=True)
class Sum:
    """Records of one model, and their dollars before and after.

    `unpriced` have a model without a price: they are left as they are. `missed` changed while they were looked at.
    """

    records: int = 0
    changed: int = 0
    unpriced: int = 0
    missed: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)

    def add(self, other: Sum) -> None:
        """Counts another one in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def known_models(deployment: Deployment) -> set[str]:
    """What records may be chosen by: every model that has a price or is on offer, and the part before its slash."""
    names = {price.model for price in prices.PRICES} | set(deployment.catalog.offers)
    return names | {name.partition("/")[0] for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recost:
    """One pass over the records of some days, of all models or of one; `price` is that of a record that was charged.

    Nothing is written unless `apply`. A record is changed only as it was read, so a concurrent change is never lost,
    and a second pass finds what the first one could not do. One that cannot be read is left as it is: `illegible` has
    its columns by its id.
    """

    deployment: Deployment
    model: str | None = None
    apply: bool = False
    price: Callable[[Mapping[str, Any], str], float] = prices.stamp
    sums: dict[str, Sum] = field(default_factory=dict)
    illegible: dict[str, list[str]] = field(default_factory=dict)

    def run(self, first: datetime | None, last: datetime | None, progress: Callable[[float], None]) -> dict[str, Sum]:
        """The sums by model; `progress` is told which share of the days, both ends included, is done."""
        with ThreadPoolExecutor(_WRITERS) as writers:
            for part in slices(self.deployment, first, last):
                faults = {record["id"]: columns for record in part.records if (columns := illegible(record))}
                self.illegible.update(faults)
                records = [record for record in part.records if record["id"] not in faults]
                for record, counted in zip(records, writers.map(self._priced_again, records), strict=True):
                    if counted is not None:
                        self.sums.setdefault(record["model"], Sum()).add(counted)
                progress(part.done)
        return self.sums

    def _priced_again(self, record: Item) -> Sum | None:
        """A pending record has no cost yet, and one that nobody was charged for keeps it that way."""
        model = record.get("model")
        if record["status"] == "pending" or model is None or self.model not in (None, model, model.partition("/")[0]):
            return None
        old = record.get("cost_usd")
        counted = Sum(records=1, before=Decimal(str(old or 0)), after=Decimal(str(old or 0)))
        if record["status"] != "succeeded" and not old:
            return counted
        try:
            new = self.price(record, model)
        except LookupError:
            counted.unpriced = 1
            return counted
        if new == old:
            return counted
        if self.apply and not self._write(record, new):
            counted.missed = 1
            return counted
        counted.changed, counted.after = 1, Decimal(str(new))
        return counted

    def _write(self, record: Item, new: float) -> bool:
        old = record.get("cost_usd")
        as_read = "#status = :status AND " + ("attribute_not_exists(#cost_usd)" if old is None else "#cost_usd = :old")
        condition = Expression(as_read, {"status": record["status"], "old": old})
        try:
            self.deployment.dynamo.update(
                self.deployment.settings.images_table,
                record["id"],
                Expression("SET #cost_usd = :new", {"new": new}),
                condition,
            )
        except ConditionFailedError:
            return False
        return True
