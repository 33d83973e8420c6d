"""Visual elements of a dataset, taken from its reference images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagetrail.errors import Invalid
from imagetrail.reference_entries import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from imagetrail.callers import Caller
    from imagetrail.datasets import Datasets
    from imagetrail.models import Reference
    from imagetrail.references import References


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """`look` is a vision model, None without one: it takes images and the seconds it has, and gives visual elements."""

    datasets: Datasets
    references: References
    look: Callable[[Sequence[Reference], float], list[str]] | None

    def extract(
        self, caller: Caller, dataset_id: str, seconds: float, expected: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Puts what the model sees in place of the dataset's visual elements; returns the dataset.

        Raises NotFound, Forbidden, PreconditionFailed, Invalid, Blocked and ModelFailed, and Conflict if somebody
        changed them meanwhile.
        """
        dataset = self.datasets.changeable(caller, dataset_id, expected)
        if self.look is None:
            raise Invalid("This deployment has no vision model. Give visual elements by PATCH of the dataset.")
        images = [image for _, image in self.references.load(ready(dataset))]
        if not images:
            raise Invalid("The dataset has no reference image that is ready. Upload one first.")
        changes = {"unique_visual_elements": self.look(images, seconds), "visual_elements_source": "extracted"}
        self.datasets.revise(dataset, changes, expected)
        return self.datasets.get(caller, dataset_id)
