"""Brand datasets: what a generation needs to compose its full prompt, and the images it refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagetrail import cursors, moments
from imagetrail.cursors import Position
from imagetrail.dynamo import ConditionFailedError, Expression, assignment
from imagetrail.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from imagetrail.reference_entries import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from imagetrail.callers import Caller
    from imagetrail.dynamo import Dynamo, Item
    from imagetrail.tombstones import Tombstones

COLUMNS = (
    "id",
    "user_id",
    "name",
    "brand",
    "vibe",
    "unique_visual_elements",
    "visual_elements_source",
    "reference_images",
    "visibility",
    "version",
    "created_at",
    "updated_at",
)
BY_OWNER = "idx_datasets_user_id"
BY_VISIBILITY = "idx_datasets_visibility"
_BRAND = ("name", "brand", "vibe", "unique_visual_elements", "visual_elements_source", "visibility")
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasets:
    """Datasets belong to their creator; a public one is seen by everybody, one created anonymously is public.

    `url` makes the address of a private object that whoever sees the dataset may open.
    """

    dynamo: Dynamo
    table: str
    url: Callable[[str], str]
    tombstones: Tombstones
    now: Callable[[], datetime] = moments.utc_now
    new_id: Callable[[datetime], str] = moments.new_id

    def create(self, caller: Caller, fields: Mapping[str, Any]) -> Item:
        """A new dataset of the caller. Raises Invalid and AccountErased."""
        now = self.now()
        visibility = fields.get("visibility") or ("public" if caller.user_id is None else "private")
        _check_visibility(caller.user_id, visibility)
        self.tombstones.check(caller.owner)
        dataset = {
            **fields,
            "visual_elements_source": "manual" if fields.get("unique_visual_elements") else None,
            "reference_images": {},
            "visibility": visibility,
            "id": self.new_id(now),
            "owner": caller.owner,
            "user_id": caller.user_id,
            "version": 1,
            "created_at": moments.to_text(now),
            "updated_at": moments.to_text(now),
        }
        self.dynamo.put(self.table, dataset, Expression("attribute_not_exists(#id) OR #version = :one", {"one": 1}))
        return self._public(dataset)

    def find(self, caller: Caller, dataset_id: str) -> Item | None:
        """The dataset if the caller may see it."""
        dataset = self.dynamo.get(self.table, dataset_id, consistent=True)
        if dataset is None:
            return None
        seen = dataset["visibility"] == "public" or caller.is_admin or caller.owns(dataset["owner"])
        return dataset if seen else None

    def get(self, caller: Caller, dataset_id: str) -> dict[str, Any]:
        """Raises NotFound, also for a dataset the caller may not see."""
        return self._public(self._seen(caller, dataset_id))

    def page(
        self, caller: Caller, *, limit: int = 50, cursor: str | None = None, visibility: str | None = None
    ) -> dict[str, Any]:
        """The caller's own datasets, or everybody's public ones, newest first, their images without URLs. One call."""
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
        listed = page.items[:limit]
        more = len(page.items) > limit
        last = listed[-1] if more else page.last
        return {
            "datasets": [self._public(dataset, with_urls=False) for dataset in listed],
            "count": len(listed),
            "limit": limit,
            "next_cursor": last and cursors.encode(Position(last["created_at"], last["id"]), scope),
        }

    def update(
        self, caller: Caller, dataset_id: str, changes: Mapping[str, Any], expected: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Changes some fields and raises the version; `expected` are the entity tags of `If-Match`.

        Raises NotFound, Forbidden, Invalid, PreconditionFailed and Conflict.
        """
        dataset = self.changeable(caller, dataset_id, expected)
        visibility = changes.get("visibility", dataset["visibility"])
        _check_visibility(dataset.get("user_id"), visibility)
        differing = {name: value for name, value in changes.items() if value != dataset.get(name)}
        if "unique_visual_elements" in differing:
            differing["visual_elements_source"] = _source(dataset, differing["unique_visual_elements"])
        return self._public(self.revise(dataset, differing, expected) if differing else dataset)

    def revise(self, dataset: Item, changes: Item, expected: Collection[str] | None = None) -> Item:
        """Writes changes of a dataset that was read; that its reference images changed meanwhile is no obstacle.

        Raises NotFound, PreconditionFailed and Conflict.
        """
        for _ in range(_ATTEMPTS):
            version = dataset["version"]
            written = {**changes, "version": version + 1, "updated_at": moments.to_text(self.now())}
            unchanged = Expression("#version = :known", {"known": version})
            try:
                self.dynamo.update(self.table, dataset["id"], assignment(written), unchanged)
            except ConditionFailedError:
                current = self.read(dataset["id"])
                if current is None:
                    raise NotFound("The dataset has just been deleted.") from None
                # An answer that was lost makes the second of two identical writes fail: then ours is what stands.
                if current != _stored({**dataset, **written}):
                    if expected is not None:
                        raise _unexpected(current) from None
                    if any(current.get(name) != dataset.get(name) for name in _BRAND):
                        break
                    dataset = current
                    continue
            return {**dataset, **written}
        raise Conflict("The dataset was changed by somebody else meanwhile. Read it and try again.")

    def read(self, dataset_id: str) -> Item | None:
        """The dataset as it is now, whoever asks."""
        return self.dynamo.get(self.table, dataset_id, consistent=True)

    def changeable(self, caller: Caller, dataset_id: str, expected: Collection[str] | None = None) -> Item:
        """The dataset if the caller may change it. Raises NotFound, Forbidden and PreconditionFailed."""
        dataset = self._seen(caller, dataset_id)
        owned = caller.user_id is not None and caller.owns(dataset["owner"])
        if not (caller.is_admin or owned):
            raise Forbidden("Only its owner may change a dataset; one created without a token, only an admin.")
        if expected is not None and not {etag(dataset), "*"} & set(expected):
            raise _unexpected(dataset)
        return dataset

    def delete(self, dataset_id: str) -> None:
        """Deletes the row, whatever it has become: a change that is under way fails by its condition."""
        self.dynamo.delete_many(self.table, [dataset_id])

    def _seen(self, caller: Caller, dataset_id: str) -> Item:
        dataset = self.find(caller, dataset_id)
        if dataset is None:
            raise NotFound("No dataset that you can see has this id.")
        return dataset

    def _public(self, dataset: Mapping[str, Any], *, with_urls: bool = True) -> dict[str, Any]:
        public = {column: dataset.get(column) for column in COLUMNS}
        public["unique_visual_elements"] = public["unique_visual_elements"] or []
        public["visual_elements_source"] = elements_source(dataset)
        held = public["reference_images"] or {}
        public["reference_images"] = shown(dataset["id"], held, self.now(), self.url if with_urls else None)
        return public


def etag(dataset: Mapping[str, Any]) -> str:
    """The entity tag of a dataset's version."""
    return f'"{dataset["version"]}"'


def elements_source(dataset: Mapping[str, Any]) -> str | None:
    """Where a dataset's visual elements came from; those of before this was noted were typed."""
    source: str | None = dataset.get("visual_elements_source")
    return source or ("manual" if dataset.get("unique_visual_elements") else None)


def _unexpected(dataset: Mapping[str, Any]) -> PreconditionFailed:
    return PreconditionFailed(f"The dataset is at version {dataset['version']}. Read it and try again.")


def _source(dataset: Item, elements: list[str]) -> str | None:
    """Where visual elements that somebody typed come from: by hand alone, or after an extraction."""
    if not elements:
        return None
    return "edited" if dataset.get("visual_elements_source") in ("extracted", "edited") else "manual"


def _check_visibility(user_id: str | None, visibility: str) -> None:
    if user_id is None and visibility != "public":
        raise Invalid(
            "A dataset created without a token belongs to nobody.",
            errors=[("visibility", "must be public, or be left out, without a token")],
        )


def _stored(dataset: Item) -> Item:
    return {name: value for name, value in dataset.items() if value is not None}
