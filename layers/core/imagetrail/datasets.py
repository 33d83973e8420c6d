"""Brand datasets: what a generation needs to compose its full prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagetrail import cursors, moments
from imagetrail.cursors import Position
from imagetrail.dynamo import ConditionFailedError, Expression
from imagetrail.errors import Conflict, Forbidden, Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Dynamo, Item

COLUMNS = (
    "id",
    "user_id",
    "name",
    "brand",
    "vibe",
    "unique_visual_elements",
    "visibility",
    "version",
    "created_at",
    "updated_at",
)
BY_OWNER = "idx_datasets_user_id"
BY_VISIBILITY = "idx_datasets_visibility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasets:
    """Datasets belong to their creator; a public one is seen by everybody, one created anonymously is public."""

    dynamo: Dynamo
    table: str
    now: Callable[[], datetime] = moments.utc_now
    new_id: Callable[[datetime], str] = moments.new_id

    def create(self, caller: Caller, fields: Mapping[str, Any]) -> Item:
        """A new dataset of the caller. Raises Invalid."""
        now = self.now()
        visibility = fields.get("visibility") or ("public" if caller.user_id is None else "private")
        _check_visibility(caller.user_id, visibility)
        dataset = {
            **fields,
            "visibility": visibility,
            "id": self.new_id(now),
            "owner": caller.owner,
            "user_id": caller.user_id,
            "version": 1,
            "created_at": moments.to_text(now),
            "updated_at": moments.to_text(now),
        }
        self.dynamo.put(self.table, dataset, Expression("attribute_not_exists(#id) OR #version = :one", {"one": 1}))
        return _public(dataset)

    def find(self, caller: Caller, dataset_id: str) -> Item | None:
        """The dataset if the caller may see it."""
        dataset = self.dynamo.get(self.table, dataset_id, consistent=True)
        if dataset is None:
            return None
        seen = dataset["visibility"] == "public" or caller.is_admin or caller.owns(dataset["owner"])
        return dataset if seen else None

    def get(self, caller: Caller, dataset_id: str) -> dict[str, Any]:
        """Raises NotFound, also for a dataset the caller may not see."""
        return _public(self._seen(caller, dataset_id))

    def page(
        self, caller: Caller, *, limit: int = 50, cursor: str | None = None, visibility: str | None = None
    ) -> dict[str, Any]:
        """The caller's own datasets, or everybody's public ones, newest first. One call."""
        scope = ("datasets", caller.owner, visibility)
        if visibility == "public":
            index, attribute, partition = BY_VISIBILITY, "visibility", "public"
        else:
            index, attribute, partition = BY_OWNER, "owner", caller.owner
        start = None
        if cursor is not None:
            after = cursors.decode(cursor, scope)
            start = {"id": after.id, "created_at": after.created_at, attribute: partition}
        page = self.dynamo.query(
            self.table,
            index,
            Expression(f"#{attribute} = :partition", {"partition": partition}),
            newest_first=True,
            limit=limit + 1,
            start=start,
            keep=Expression("#visibility = :visibility", {"visibility": "private"})
            if visibility == "private"
            else None,
        )
        shown = page.items[:limit]
        more = len(page.items) > limit
        last = shown[-1] if more else page.last
        return {
            "datasets": [_public(dataset) for dataset in shown],
            "count": len(shown),
            "limit": limit,
            "next_cursor": last and cursors.encode(Position(last["created_at"], last["id"]), scope),
        }

    def update(self, caller: Caller, dataset_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes some fields and raises the version. Raises NotFound, Forbidden, Invalid and Conflict."""
        dataset = self._seen(caller, dataset_id)
        owned = caller.user_id is not None and caller.owns(dataset["owner"])
        if not (caller.is_admin or owned):
            raise Forbidden("Only its owner may change a dataset; one created without a token, only an admin.")
        changed = {**dataset, **changes}
        _check_visibility(dataset.get("user_id"), changed["visibility"])
        if _public(changed) == _public(dataset):
            return _public(dataset)
        changed |= {"version": dataset["version"] + 1, "updated_at": moments.to_text(self.now())}
        unchanged = Expression("#version = :version", {"version": dataset["version"]})
        try:
            self.dynamo.put(self.table, changed, unchanged)
        except ConditionFailedError:
            # An answer that was lost makes the second of two identical writes fail: then ours is what stands.
            if self.dynamo.get(self.table, dataset_id, consistent=True) == _stored(changed):
                return _public(changed)
            raise Conflict("The dataset was changed by somebody else meanwhile. Read it and try again.") from None
        return _public(changed)

    def _seen(self, caller: Caller, dataset_id: str) -> Item:
        dataset = self.find(caller, dataset_id)
        if dataset is None:
            raise NotFound("No dataset that you can see has this id.")
        return dataset


def _check_visibility(user_id: str | None, visibility: str) -> None:
    if user_id is None and visibility != "public":
        raise Invalid(
            "A dataset created without a token belongs to nobody.",
            errors=[("visibility", "must be public, or be left out, without a token")],
        )


def _stored(dataset: Item) -> Item:
    return {name: value for name, value in dataset.items() if value is not None}


def _public(dataset: Mapping[str, Any]) -> dict[str, Any]:
    public = {column: dataset.get(column) for column in COLUMNS}
    public["unique_visual_elements"] = public["unique_visual_elements"] or []
    return public
