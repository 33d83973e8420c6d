"""Bedrock retires models: which of those in use are about to go, for a check that runs by the clock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imagetrail.models.bedrock import MODEL_IDS

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROFILE = re.compile(r"(?:arn:.+/)?(?:(?:us|us-gov|eu|apac|au|ca|jp|global)\.)?")


def bedrock_ids(offers: Iterable[str]) -> list[str]:
    """The ids under which Bedrock knows those of the offered models that are its own."""
    return [
        MODEL_IDS[variant] for adapter, _, variant in (name.partition("/") for name in offers) if adapter == "bedrock"
    ]


def legacy_models(names: Iterable[str], client: Any) -> dict[str, str]:
    """Of these models, those Bedrock calls `LEGACY`, with the day they end, and those it no longer lists: `MISSING`.

    A name is a model's id, or that of an inference profile across regions (`us.stability…`), which carries the model's.
    The opaque name of an application's own profile tells nothing of its model and is left out. `client` is boto3's for
    `bedrock`, in the region where the models are called.
    """
    listed = {
        model["modelId"]: model.get("modelLifecycle", {}) for model in client.list_foundation_models()["modelSummaries"]
    }
    found = {}
    for name in names:
        model_id = _PROFILE.sub("", name, count=1)
        lifecycle = listed.get(model_id, {"status": "MISSING" if "." in model_id else "ACTIVE"})
        status, end = lifecycle.get("status", "ACTIVE"), lifecycle.get("endOfLifeTime")
        if status != "ACTIVE":
            found[name] = f"{status} until {end:%Y-%m-%d}" if end else status
    return found
