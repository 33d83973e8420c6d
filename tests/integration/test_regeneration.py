"""A record's request, sent again: what stays, what changes, and what it costs."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from imagetrail.callers import ANONYMOUS, NOWHERE, Caller
from imagetrail.dynamo import Expression
from imagetrail.errors import Invalid, KeyReused, ModelGone, NotFound, QuotaExhausted
from imagetrail.models import procedural
from imagetrail.models.catalog import Catalog
from imagetrail.preferences import Preferences
from imagetrail.schemas import GenerateRequest, RegenerateRequest
from imagetrail.settings import Settings
from imagetrail.wiring import Deployment
from tests.integration.made import made
from tests.integration.uploads import add_reference, picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Stack

LEFT = timedelta(seconds=20)
ADMIN = Caller("root", is_admin=True)
ELEMENTS = ["wooden tables", "pendant lights"]
BRAND = {"name": "Coffee Co", "brand": "Coffee Co", "vibe": "cozy", "unique_visual_elements": ELEMENTS}


@pytest.fixture
def deployed(stack: Stack) -> Iterator[Callable[..., Deployment]]:
    """Makes deployments with some settings changed."""
    with ExitStack() as made:

        def deploy(**changes: str) -> Deployment:
            environment = {**stack.environment("RegenerateImage"), **changes}
            return made.enter_context(closing(Deployment(Settings.from_environment(environment))))

        yield deploy


@pytest.fixture
def deployment(deployed: Callable[..., Deployment]) -> Deployment:
    return deployed()


@pytest.fixture
def caller() -> Caller:
    return Caller(f"user-{uuid4()}")


def generate(deployment: Deployment, caller: Caller, **wanted: Any) -> dict[str, Any]:
    request = GenerateRequest.model_validate({"prompt": "a tea house", "format": "jpg", **wanted})
    return deployment.generation.generate(caller, request, LEFT)[0]


def regenerate(
    deployment: Deployment, caller: Caller, image_id: str, key: str | None = None, **wish: Any
) -> dict[str, Any]:
    return deployment.regeneration.submit(
        caller,
        image_id,
        RegenerateRequest.model_validate(wish),
        NOWHERE,
        time_left=LEFT,
        preferences=Preferences(),
        key=key,
    ).record


def brand(deployment: Deployment, caller: Caller, **fields: Any) -> str:
    return str(deployment.datasets.create(caller, {**BRAND, **fields})["id"])


def test_the_same_again(deployment: Deployment, caller: Caller) -> None:
    first = generate(deployment, caller, style="oil", negative_prompt="rain", aspect_ratio="16:9", quality="high")
    again = regenerate(deployment, caller, first["id"], seed="same")
    differing = {name for name in first if first[name] != again.get(name)}
    assert differing <= {"id", "parent_id", "created_at", "image_url", "thumbnail_url", "generation_ms"} | {
        "bytes", "sha256", "settle_by", "candidates", "created_day",
    }  # fmt: skip
    assert again["parent_id"] == first["id"]
    stored = deployment.history.get(caller, again["id"], "")
    assert (stored["parent_id"], stored["status"]) == (first["id"], "succeeded")
    keys = (f"thumbnails/{record['id']}.webp" for record in (first, again))
    assert len({deployment.bucket.get(key) for key in keys}) == 1, "the same seed paints the same picture"


def test_seeds(deployment: Deployment, caller: Caller) -> None:
    first = generate(deployment, caller, seed=7)
    assert regenerate(deployment, caller, first["id"], seed=9)["seed"] == 9
    assert regenerate(deployment, caller, first["id"], seed="same")["seed"] == 7
    assert len({regenerate(deployment, caller, first["id"])["seed"] for _ in range(2)} | {7}) == 3
    unknown = made(deployment, caller, seed=None)
    with pytest.raises(Invalid):
        regenerate(deployment, caller, unknown["id"], seed="same")


def test_any_field_may_be_otherwise_or_cleared(deployment: Deployment, caller: Caller) -> None:
    first = generate(deployment, caller, style="oil", negative_prompt="rain")
    again = regenerate(deployment, caller, first["id"], prompt="a tea garden", format="jpeg", aspect_ratio="9:16")
    assert (again["full_prompt"], again["aspect_ratio"]) == ("a tea garden. Style: oil.", "9:16")
    bare = regenerate(deployment, caller, first["id"], style=None, negative_prompt=None)
    assert (bare["full_prompt"], bare.get("style"), bare.get("negative_prompt")) == ("a tea house", None, None)


def test_the_dataset_as_it_was_or_as_it_is(deployment: Deployment, caller: Caller) -> None:
    dataset_id = brand(deployment, caller)
    first = generate(deployment, caller, dataset_id=dataset_id, style="oil")
    deployment.datasets.update(caller, dataset_id, {"vibe": "loud", "unique_visual_elements": ["neon"]})
    then = "Brand: Coffee Co. Vibe: cozy. UNIQUE ELEMENTS: wooden tables, pendant lights. "
    frozen = regenerate(deployment, caller, first["id"], prompt="a garden!")
    assert frozen["full_prompt"] == f"{then}a garden! Style: oil."
    assert (frozen["dataset_id"], frozen["dataset_version"]) == (dataset_id, 1)
    assert frozen["unique_visual_elements"] == ELEMENTS
    current = regenerate(deployment, caller, first["id"], dataset="current")
    assert current["full_prompt"] == "Brand: Coffee Co. Vibe: loud. UNIQUE ELEMENTS: neon. a tea house. Style: oil."
    assert (current["dataset_id"], current["dataset_version"]) == (dataset_id, 2)
    twice = regenerate(deployment, caller, frozen["id"])
    assert (twice["full_prompt"], twice["parent_id"]) == (frozen["full_prompt"], frozen["id"])
    without = regenerate(deployment, caller, first["id"], dataset_id=None)
    assert (without["full_prompt"], without["dataset_id"]) == ("a tea house. Style: oil.", None)
    other = brand(deployment, caller, brand="Tea Co", vibe=None, unique_visual_elements=[])
    assert regenerate(deployment, caller, first["id"], dataset_id=other)["full_prompt"] == (
        "Brand: Tea Co. a tea house. Style: oil."
    )
    listed = {record["id"] for record in (first, frozen, current, twice)}
    page = deployment.dynamo.query(
        deployment.settings.images_table,
        "idx_generated_images_dataset_id",
        Expression("#dataset_id = :dataset_id", {"dataset_id": dataset_id}),
        newest_first=True,
        limit=10,
    )
    assert {item["id"] for item in page.items} == listed


def test_a_dataset_that_was_deleted(deployment: Deployment, caller: Caller) -> None:
    first = generate(deployment, caller, dataset_id=brand(deployment, caller))
    gone = Expression("REMOVE #dataset_id, #dataset_shelf")
    deployment.dynamo.update(deployment.settings.images_table, first["id"], gone)
    again = regenerate(deployment, caller, first["id"])
    assert (again["full_prompt"], again["dataset_version"]) == (first["full_prompt"], 1)
    assert again["dataset_id"] is None
    with pytest.raises(Invalid) as refused:
        regenerate(deployment, caller, first["id"], dataset="current")
    assert [field for field, _ in refused.value.errors] == ["dataset"]


def test_a_dataset_that_the_caller_sees_no_more(deployment: Deployment, caller: Caller) -> None:
    owner = Caller(f"user-{uuid4()}")
    dataset_id = brand(deployment, owner, visibility="public")
    first = generate(deployment, caller, dataset_id=dataset_id)
    deployment.datasets.update(owner, dataset_id, {"visibility": "private"})
    again = regenerate(deployment, caller, first["id"])
    assert (again["full_prompt"], again["dataset_id"]) == (first["full_prompt"], None)
    with pytest.raises(Invalid):
        regenerate(deployment, caller, first["id"], dataset="current")


def test_the_reference_images_as_they_were_while_the_caller_may_see_them(
    deployment: Deployment, caller: Caller
) -> None:
    owner = Caller(f"user-{uuid4()}")
    dataset_id = brand(deployment, owner, visibility="public")
    add_reference(deployment, owner, dataset_id, picture(width=100))
    generation = replace(deployment.generation, catalog=Catalog("gemini", lambda _: procedural.generate))
    offered = replace(
        deployment.regeneration,
        catalog=generation.catalog,
        submission=replace(deployment.submission, generation=generation),
    )
    request = GenerateRequest.model_validate({"prompt": "a tea house", "dataset_id": dataset_id})
    first, _ = generation.generate(caller, request, LEFT)
    add_reference(deployment, owner, dataset_id, picture(width=110))

    def again(**wish: Any) -> dict[str, Any]:
        asked = RegenerateRequest.model_validate(wish)
        outcome = offered.submit(
            caller, first["id"], asked, NOWHERE, time_left=LEFT, preferences=Preferences(), key=None
        )
        return outcome.record

    frozen, current = again(), again(dataset="current")
    assert frozen["reference_images"] == first["reference_images"]
    assert (first["reference_images_count"], frozen["reference_images_count"]) == (1, 1)
    assert current["reference_images_count"] == 2
    deployment.datasets.update(owner, dataset_id, {"visibility": "private"})
    hidden = again()
    assert (hidden["reference_images"], hidden["reference_images_count"]) == ([], 0)
    assert hidden["full_prompt"] == first["full_prompt"]


def test_a_record_that_does_not_tell_its_dataset(deployment: Deployment, caller: Caller) -> None:
    dataset_id = brand(deployment, caller)
    first = made(deployment, caller, dataset_id=dataset_id, full_prompt="composed by somebody else", model="procedural")
    with pytest.raises(Invalid) as refused:
        regenerate(deployment, caller, first["id"])
    assert [field for field, _ in refused.value.errors] == ["dataset"]
    assert regenerate(deployment, caller, first["id"], dataset="current")["dataset_version"] == 1


def test_a_model_that_is_gone_is_named_with_what_would_be_used(deployment: Deployment, caller: Caller) -> None:
    first = made(deployment, caller, model="bedrock/core")
    with pytest.raises(ModelGone, match=r"bedrock/core is not offered any more\. procedural would be used"):
        regenerate(deployment, caller, first["id"])
    assert regenerate(deployment, caller, first["id"], model="procedural")["model"] == "procedural"
    unknown = made(deployment, caller, model=None)
    assert regenerate(deployment, caller, unknown["id"])["model"] == "procedural"


def test_what_was_allowed_once_is_named_if_it_is_no_longer(deployment: Deployment, caller: Caller) -> None:
    first = made(deployment, caller, quality="ultra", prompt=None, model="procedural")
    with pytest.raises(Invalid) as refused:
        regenerate(deployment, caller, first["id"])
    assert [field for field, _ in refused.value.errors] == ["prompt", "quality"]
    assert regenerate(deployment, caller, first["id"], prompt="a fox", quality="high")["status"] == "succeeded"


def test_only_what_the_caller_sees(deployment: Deployment, caller: Caller) -> None:
    hers = generate(deployment, caller)
    for stranger in (ANONYMOUS, Caller("somebody else")):
        with pytest.raises(NotFound):
            regenerate(deployment, stranger, hers["id"])
    by_admin = regenerate(deployment, ADMIN, hers["id"])
    assert (by_admin["user_id"], by_admin["parent_id"]) == (ADMIN.user_id, hers["id"])
    tree = deployment.lineage.of(caller, hers["id"], "")
    assert (tree["count"], tree["roots"][0]["children"]) == (1, [])
    assert deployment.lineage.of(ADMIN, hers["id"], "")["count"] == 2


def test_it_draws_on_the_quota(deployed: Callable[..., Deployment], caller: Caller) -> None:
    limited = deployed(USER_DAILY_QUOTA="2")
    first = generate(limited, caller)
    regenerate(limited, caller, first["id"])
    with pytest.raises(QuotaExhausted):
        regenerate(limited, caller, first["id"])


def test_one_key_is_one_image(deployment: Deployment, caller: Caller) -> None:
    first, other = generate(deployment, caller), generate(deployment, caller)
    key = str(uuid4())
    made = [regenerate(deployment, caller, first["id"], key, style="oil")["id"] for _ in range(3)]
    assert len(set(made)) == 1
    for image_id, wish in ((first["id"], {"style": "ink"}), (other["id"], {"style": "oil"})):
        with pytest.raises(KeyReused):
            regenerate(deployment, caller, image_id, key, **wish)


def test_the_family_grows(deployment: Deployment, caller: Caller) -> None:
    first = generate(deployment, caller, seed=1)
    child = regenerate(deployment, caller, first["id"], seed="same", style="oil")
    grandchild = regenerate(deployment, caller, child["id"], seed=2)
    sibling = regenerate(deployment, caller, first["id"], seed=3)
    for record in (first, child, grandchild, sibling):
        tree = deployment.lineage.of(caller, record["id"], "")
        (root,) = tree["roots"]
        assert (root["id"], tree["count"], tree["truncated"]) == (first["id"], 4, False)
        assert [node["id"] for node in root["children"]] == [child["id"], sibling["id"]]
        assert [node["changed"] for node in root["children"]] == [["style"], ["seed"]]
        assert [node["id"] for node in root["children"][0]["children"]] == [grandchild["id"]]
    deployment.trash.throw(caller, child["id"])
    (root,) = deployment.lineage.of(caller, first["id"], "")["roots"]
    assert [node["id"] for node in root["children"]] == [grandchild["id"], sibling["id"]]
