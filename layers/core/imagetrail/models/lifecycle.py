"""Bedrock retires models: which of those in use are about to go, for a check that runs by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def legacy_models(names: Iterable[str], client: Any) -> dict[str, str]:
    """Of these model ids, those that Bedrock calls `LEGACY`, and those it no longer lists: `MISSING`.

    `client` is boto3's for `bedrock`, in the region where the models are called.
    """
    listed = client.list_foundation_models()["modelSummaries"]
    statuses = {model["modelId"]: model.get("modelLifecycle", {}).get("status", "ACTIVE") for model in listed}
    found = {name: statuses.get(name, "MISSING") for name in names}
    return {name: status for name, status in found.items() if status != "ACTIVE"}
