"""Changes to one record of the history: who may make them, and how none of them loses another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail.dynamo import ConditionFailedError, Expression, assignment
from imagetrail.errors import Conflict, Forbidden, NotFound, Unavailable
from imagetrail.records import index_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Dynamo, Item

_ATTEMPTS = 8
_PLACING = ("status", "deleted_at", "dataset_id", "favorite", "trash")


def _ignore(_image_id: str) -> None:
    """Does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The records as their owners change them.

    `sees_all` says whether a caller sees everybody's; `on_write` is called with the id of each record that was written.
    """

    dynamo: Dynamo
    table: str
    sees_all: Callable[[Caller], bool]
    on_write: Callable[[str], object] = _ignore

    def change(
        self, caller: Caller, image_id: str, decide: Callable[[Item], Item], *, anonymously: bool = False
    ) -> Item:
        """Reads the record, asks `decide` for its changes, and returns it as it is afterwards.

        The write holds only if nothing that places the record in an index has changed since it was read; otherwise
        all of this is done again, so that of two changes at once neither is lost. No changes, no write. What belongs
        to nobody is changed by callers without a token only if `anonymously`. Raises NotFound, Forbidden, Unavailable,
        and what `decide` raises.
        """
        for _ in range(_ATTEMPTS):
            record = self._owned(caller, image_id, anonymously=anonymously)
            changes = decide(record)
            if not changes:
                return record
            before, changed = index_keys(record), {**record, **changes}
            moved = {name: place for name, place in index_keys(changed).items() if place != before[name]}
            try:
                self.dynamo.update(self.table, image_id, assignment({**changes, **moved}), unchanged(record))
            except ConditionFailedError:
                continue
            self.on_write(image_id)
            return {name: value for name, value in {**changed, **moved}.items() if value is not None}
        raise Unavailable("Many are changing this image at once. Please try again shortly.")

    def mark(self, caller: Caller, image_id: str, *, favorite: bool) -> Item:
        """The record, as a favourite or not; in the trash it keeps its mark. Raises as `change`, and Conflict."""

        def decide(record: Item) -> Item:
            if record.get("favorite", False) is favorite:
                return {}
            if favorite and record["status"] != "succeeded":
                raise Conflict("Only an image that was made can be a favourite; there is none in this record.")
            return {"favorite": favorite or None}

        return self.change(caller, image_id, decide, anonymously=True)

    def _owned(self, caller: Caller, image_id: str, *, anonymously: bool) -> Item:
        sees_all = self.sees_all(caller)
        record = self.dynamo.get(self.table, image_id, consistent=True)
        owns = record is not None and caller.owns(record["owner"])
        if record is None or not (sees_all or owns):
            raise NotFound("No image of yours has this id.")
        if not (caller.is_admin or (owns and (anonymously or caller.user_id is not None))):
            raise Forbidden("Only its owner may change an image; one made without a token, only an admin.")
        return record


def unchanged(record: Item) -> Expression:
    """The condition that a record still stands where it stood when it was read."""
    same = [f"#{name} = :was_{name}" for name in _PLACING if name in record]
    absent = [f"attribute_not_exists(#{name})" for name in _PLACING if name not in record]
    return Expression(
        " AND ".join([*same, *absent]), {f"was_{name}": record[name] for name in _PLACING if name in record}
    )
