"""The same request again: what a record asked for, with what its caller would have otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagetrail.errors import Invalid, ModelGone
from imagetrail.prompting import full_prompt
from imagetrail.submission import DeferredRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from imagetrail.callers import Caller, Origin
    from imagetrail.datasets import Datasets
    from imagetrail.dynamo import Item
    from imagetrail.history import History
    from imagetrail.models.catalog import Catalog
    from imagetrail.preferences import Preferences
    from imagetrail.schemas import GenerateRequest, RegenerateRequest
    from imagetrail.submission import Outcome, Submission

_AGAIN = ("prompt", "style", "aspect_ratio", "quality", "format", "resolution", "negative_prompt", "model")
_FROZEN = ("dataset_version", "unique_visual_elements", "visual_elements_source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regeneration:
    """Sends a record's request again, by the way of every other one: same quotas, same queue, same answers."""

    history: History
    datasets: Datasets
    catalog: Catalog
    submission: Submission

    def submit(
        self,
        caller: Caller,
        image_id: str,
        wish: RegenerateRequest,
        origin: Origin,
        *,
        time_left: timedelta,
        preferences: Preferences,
        key: str | None,
    ) -> Outcome:
        """Raises NotFound, ModelGone, Invalid, and what `Submission.submit` raises."""
        request = DeferredRequest(
            f"regenerate {image_id} {wish.model_dump_json(exclude_unset=True)}",
            lambda: self._compose(caller, image_id, wish),
        )
        return self.submission.submit(caller, request, origin, time_left=time_left, preferences=preferences, key=key)

    def _compose(self, caller: Caller, image_id: str, wish: RegenerateRequest) -> tuple[GenerateRequest, Item]:
        from imagetrail.schemas import GenerateRequest, validated

        record = self.history.find(caller, image_id)
        changes = wish.model_dump(exclude_unset=True, exclude={"seed", "dataset"})
        fields = {name: record[name] for name in _AGAIN if record.get(name) is not None} | changes
        if "model" not in changes:
            self._check_model(fields.get("model"))
        fields["seed"] = _seed(wish.seed, record)
        columns: Item = {"parent_id": image_id}
        if "dataset_id" not in changes and _had_dataset(record):
            if wish.dataset == "current":
                fields["dataset_id"] = _dataset_of(record)
            else:
                columns |= self._frozen(caller, record, fields)
        request = validated(GenerateRequest, fields, "What this image was made with is not acceptable any more.")
        return request, columns

    def _check_model(self, name: str | None) -> None:
        if name is not None and name not in self.catalog.offers:
            substitute = self.catalog.choose(None)[0]
            raise ModelGone(
                f"{name} is not offered any more. {substitute} would be used: name it as the model to accept that.",
                errors=[("model", f"must be given, such as {substitute}")],
            )

    def _frozen(self, caller: Caller, record: Item, fields: Mapping[str, Any]) -> Item:
        """The dataset as it was. Its id and its reference images go along only while the caller sees it."""
        whole = record.get("full_prompt") or ""
        opening = whole.removesuffix(full_prompt(record.get("prompt") or "", record.get("style"), None))
        if opening == whole:
            raise Invalid(
                "The record does not tell what its dataset was then.",
                errors=[("dataset", "must be current for this image")],
            )
        dataset_id = record.get("dataset_id")
        seen = dataset_id is not None and self.datasets.find(caller, dataset_id) is not None
        return {
            **{column: record.get(column) for column in _FROZEN},
            "dataset_id": dataset_id if seen else None,
            "reference_images": (record.get("reference_images") or []) if seen else [],
            "full_prompt": opening + full_prompt(fields.get("prompt", ""), fields.get("style"), None),
        }


def _had_dataset(record: Item) -> bool:
    return record.get("dataset_id") is not None or record.get("dataset_version") is not None


def _dataset_of(record: Item) -> str:
    if record.get("dataset_id") is None:
        raise Invalid(
            "The dataset of this image was deleted.",
            errors=[("dataset", "must be frozen, to use the dataset as it was, or give another dataset_id")],
        )
    return str(record["dataset_id"])


def _seed(wish: str | int, record: Item) -> int | None:
    if isinstance(wish, int):
        return wish
    if wish == "new":
        return None
    if record.get("seed") is None:
        raise Invalid("The seed of this image is not known.", errors=[("seed", "must be new, or a number")])
    return int(record["seed"])
