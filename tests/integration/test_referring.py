"""Generations that refer to images: what a model is given, what it costs, and what the record says of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.callers import Caller
from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import ImageRequest, ModelOutput, procedural
from imagetrail.models.catalog import Catalog
from imagetrail.reference_entries import ready
from imagetrail.schemas import GenerateRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.uploads import add_reference, picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imagetrail.errors import ImagetrailError
    from imagetrail.generation import Generation
    from tests.conftest import Stack

TIME = timedelta(seconds=20)
SIZES = (100, 110, 120)


@pytest.fixture
def deployment(stack: Stack) -> Iterator[Deployment]:
    with closing(Deployment(Settings.from_environment(stack.environment("GenerateImage")))) as deployment:
        yield deployment


@pytest.fixture
def alice() -> Caller:
    return Caller(f"alice-{uuid4()}")


@pytest.fixture
def dataset(deployment: Deployment, alice: Caller) -> dict[str, Any]:
    """One with three reference images that are ready, and one that never came."""
    fields = {"name": "Coffee Co", "unique_visual_elements": ["oak"]}
    dataset_id = str(deployment.datasets.create(alice, fields)["id"])
    for size in SIZES:
        add_reference(deployment, alice, dataset_id, picture(width=size))
    deployment.references.request_upload(alice, dataset_id, {"content_type": "image/png"})
    return deployment.datasets.read(dataset_id) or {}


class Vendors:
    """The models of a catalog; each notes the request it got, and fails if it is told to."""

    def __init__(self, **failures: ImagetrailError) -> None:
        self.failures, self.asked = failures, list[tuple[str, ImageRequest]]()

    def connect(self, name: str) -> Callable[[ImageRequest], ModelOutput]:
        def draw(request: ImageRequest) -> ModelOutput:
            self.asked.append((name, request))
            if (error := self.failures.get(name.partition("/")[0].replace("-", "_"))) is not None:
                raise error
            return procedural.generate(request)

        return draw


def offering(deployment: Deployment, models: str, vendors: Vendors) -> Generation:
    return replace(deployment.generation, catalog=Catalog(models, vendors.connect))


def asked(dataset: dict[str, Any], **fields: Any) -> GenerateRequest:
    return GenerateRequest(prompt="A shop", dataset_id=dataset["id"], **fields)


@pytest.mark.parametrize(
    ("model", "count", "usd"),
    [("gemini", 3, 0.134), ("stability-rest/ultra", 1, 0.05), ("stability-rest/sd3.5-large", 0, 0.065)],
)
def test_a_model_gets_as_many_as_it_takes(
    deployment: Deployment, alice: Caller, dataset: dict[str, Any], model: str, count: int, usd: float
) -> None:
    vendors = Vendors()
    made, _ = offering(deployment, model, vendors).generate(alice, asked(dataset), TIME)
    ((_, request),) = vendors.asked
    kept = ready(dataset)
    assert len(kept) == len(SIZES)
    assert [reference.data for reference in request.references] == [
        deployment.bucket.get(entry["key"]) for entry in kept[:count]
    ]
    record = deployment.history.get(alice, made["id"], "")
    assert (record["reference_images_count"], record["reference_images"]) == (count, kept[:count])
    assert ("reference_images" in record["dropped_params"]) is (count < len(SIZES))
    assert record["cost_usd"] == usd
    assert (record["dataset_version"], record["visual_elements_source"]) == (dataset["version"], "manual")


def test_the_record_is_of_the_model_that_answered(
    deployment: Deployment, alice: Caller, dataset: dict[str, Any]
) -> None:
    vendors = Vendors(gemini=ModelFailed("away"))
    generation = offering(deployment, "gemini,stability-rest/core", vendors)
    made, _ = generation.generate(alice, asked(dataset), TIME)
    assert [(name, len(request.references)) for name, request in vendors.asked] == [
        ("gemini", 3),
        ("stability-rest/core", 1),
    ]
    assert (made["model"], made["reference_images_count"]) == ("stability-rest/core", 1)
    assert made["reference_images"] == ready(dataset)[:1]
    assert (made["cost_usd"], "reference_images" in made["dropped_params"]) == (0.05, True)


def test_what_was_deleted_meanwhile_is_not_counted(
    deployment: Deployment, alice: Caller, dataset: dict[str, Any]
) -> None:
    """A queued generation froze three; one is deleted and one is damaged before it is its turn."""
    vendors = Vendors()
    generation = offering(deployment, "gemini", vendors)
    pending, _ = generation.start(alice, asked(dataset), timedelta(minutes=5))
    first, second, third = pending["reference_images"]
    deployment.bucket.delete(first["key"])
    deployment.bucket.put(second["key"], b"something else", "image/png", cache_control="private", tags={})
    made = generation.finish(pending, TIME)
    assert made["reference_images"] == [third]
    assert (made["reference_images_count"], "reference_images" in made["dropped_params"]) == (1, True)
    assert len(vendors.asked[0][1].references) == 1


@pytest.mark.parametrize(
    ("error", "usd"), [(Blocked(charged=True), 0.05), (Blocked(), 0.0), (ModelFailed("no", charged=True), 0.05)]
)
def test_a_failure_says_what_the_model_was_given(
    deployment: Deployment, alice: Caller, dataset: dict[str, Any], error: Blocked | ModelFailed, usd: float
) -> None:
    generation = offering(deployment, "stability-rest/core", Vendors(stability_rest=error))
    with pytest.raises((Blocked, ModelFailed)) as failed:
        generation.generate(alice, asked(dataset), TIME)
    record = deployment.history.get(alice, failed.value.image_id or "", "")
    assert (record["reference_images"], record["reference_images_count"]) == (ready(dataset)[:1], 1)
    assert record["cost_usd"] == usd


def test_without_a_dataset_there_is_nothing_to_name(deployment: Deployment, alice: Caller) -> None:
    made, _ = offering(deployment, "gemini", Vendors()).generate(alice, GenerateRequest(prompt="A shop"), TIME)
    record = deployment.history.get(alice, made["id"], "")
    assert (record["reference_images"], record["reference_images_count"], record["dropped_params"]) == (None, 0, [])


def test_a_dataset_that_is_gone_loses_no_provenance(
    stack: Stack, deployment: Deployment, alice: Caller, dataset: dict[str, Any]
) -> None:
    made, _ = offering(deployment, "gemini", Vendors()).generate(alice, asked(dataset), TIME)
    stack.client("dynamodb").delete_item(TableName=stack.outputs["DatasetsTable"], Key={"id": {"S": dataset["id"]}})
    record = deployment.history.get(alice, made["id"], "")
    assert [entry["sha256"] for entry in record["reference_images"]] == [entry["sha256"] for entry in ready(dataset)]
    assert record["unique_visual_elements"] == ["oak"]
