"""Visual elements out of reference images: a vision model over the wire, and what becomes of its answer."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials

from imagetrail.callers import Caller
from imagetrail.errors import Blocked, Conflict, Forbidden, Invalid, ModelFailed, NotFound, PreconditionFailed
from imagetrail.models import Reference, wire
from imagetrail.settings import Settings
from imagetrail.sigv4 import Credentials
from imagetrail.vision import MAX_ELEMENTS, VisionModel
from imagetrail.wiring import Deployment
from tests.integration.uploads import add_reference, picture
from tests.integration.vendors.converse_server import KEY, MODEL, SEEN, answer
from tests.integration.vendors.loopback import Vendor, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Stack
    from tests.integration.model_contract import Step

IMAGES = [
    Reference(data=picture(), mime="image/png"),
    Reference(data=picture(".jpg"), mime="image/jpeg"),
    Reference(data=picture(".webp"), mime="image/webp"),
]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(answer) as vendor:
        yield vendor


@pytest.fixture
def counted() -> dict[str, float]:
    return {}


@pytest.fixture
def look(vendor: Vendor, counted: dict[str, float]) -> Iterator[VisionModel]:
    yield VisionModel(
        model=MODEL,
        region="us-west-2",
        credentials=lambda: Credentials(KEY, "secret"),
        url=vendor.url,
        count=counted.update,
        pause=lambda _: None,
    )
    wire.close()


def script(vendor: Vendor, *steps: str) -> None:
    vendor.steps.extend(cast("Step", step) for step in steps)


def test_the_model_sees_every_image_and_is_asked_once(
    vendor: Vendor, look: VisionModel, counted: dict[str, float]
) -> None:
    assert look(IMAGES, 10) == SEEN
    assert counted == {"VisionInputTokens": 1800, "VisionOutputTokens": 60}
    (request,) = vendor.requests
    formats = [part["image"]["format"] for part in orjson.loads(request.body)["messages"][0]["content"][:-1]]
    assert formats == ["png", "jpeg", "webp"]


def test_a_request_is_signed_as_the_sdk_signs_it(vendor: Vendor, look: VisionModel) -> None:
    """The model's id holds a colon, which is encoded once on the wire and twice in what is signed."""
    look(IMAGES[:1], 10)
    (sent,) = vendor.requests
    assert "%3A0/converse" in sent.path
    request = AWSRequest("POST", f"{vendor.url}{sent.path}", {"content-type": "application/json"}, sent.body)
    request.context["timestamp"] = sent.headers["x-amz-date"]
    signer = SigV4Auth(SdkCredentials(KEY, "secret"), "bedrock", "us-west-2")
    request.headers["X-Amz-Date"] = sent.headers["x-amz-date"]
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert sent.headers["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        (["  Brick   walls ", "brick walls", "BRICK WALLS", "neon"], ["Brick walls", "neon"]),
        (["x" * 61, "", "   ", "oak"], ["oak"]),
        ([f"element {n}" for n in range(40)], [f"element {n}" for n in range(MAX_ELEMENTS)]),
    ],
)
def test_what_it_says_is_checked(vendor: Vendor, look: VisionModel, said: list[str], taken: list[str]) -> None:
    script(vendor, f"said: {orjson.dumps({'elements': said}).decode()}")
    assert look(IMAGES, 10) == taken


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        ("garbage", "something else"),
        ("talk", "no visual elements"),
        ("said: {}", "something else"),
        ('said: {"elements": "oak"}', "no visual elements"),
        ('said: {"elements": [1, 2]}', "something else"),
        ('said: {"elements": []}', "no visual elements"),
        ("AccessDeniedException", "may not use"),
        ("ResourceNotFoundException", "may not use"),
        ("ValidationException", "does not accept"),
        ("ModelErrorException", "failed on its side"),
        ("ModelTimeoutException", "failed on its side"),
        ("hang", "in time"),
        ("cut after", "in time"),
    ],
)
def test_a_failure_is_said_and_not_repeated(vendor: Vendor, look: VisionModel, step: str, detail: str) -> None:
    script(vendor, step)
    with pytest.raises(ModelFailed, match=detail):
        look(IMAGES, 1)
    assert vendor.received == 1


def test_a_busy_model_is_asked_again(vendor: Vendor, look: VisionModel) -> None:
    script(vendor, "ThrottlingException", "ServiceUnavailableException")
    assert look(IMAGES, 10) == SEEN
    script(vendor, *["ThrottlingException"] * 3)
    with pytest.raises(ModelFailed, match="too many") as busy:
        look(IMAGES, 10)
    assert busy.value.retry_after == 60


@pytest.mark.parametrize("reason", ["guardrail_intervened", "content_filtered", "refusal"])
def test_a_refusal_is_one(vendor: Vendor, look: VisionModel, reason: str) -> None:
    script(vendor, reason)
    with pytest.raises(Blocked, match="refused these images"):
        look(IMAGES, 10)


def test_nobody_there(vendor: Vendor, look: VisionModel) -> None:
    vendor.stop()
    with pytest.raises(ModelFailed, match="cannot be reached"):
        look(IMAGES, 1)


@pytest.fixture
def deployment(stack: Stack, vendor: Vendor) -> Iterator[Deployment]:
    environment = stack.environment("ExtractVisualElements") | {"BEDROCK_URL": vendor.url, "VISION_MODEL": MODEL}
    with closing(Deployment(Settings.from_environment(environment))) as deployment:
        yield deployment
    wire.close()


@pytest.fixture
def alice() -> Caller:
    return Caller(f"alice-{uuid4()}")


@pytest.fixture
def dataset_id(deployment: Deployment, alice: Caller) -> str:
    """A dataset with one reference image that is ready."""
    dataset_id = str(deployment.datasets.create(alice, {"name": "Coffee Co"})["id"])
    add_reference(deployment, alice, dataset_id, picture())
    return dataset_id


def with_key(deployment: Deployment) -> Any:
    """The extraction, its model under the vendor's key."""
    extraction = deployment.extraction
    assert isinstance(extraction.look, VisionModel)
    return replace(
        extraction,
        look=replace(extraction.look, credentials=lambda: Credentials(KEY, "secret"), count=lambda **_: None),
    )


def test_elements_come_from_the_images_and_may_be_edited(
    deployment: Deployment, alice: Caller, dataset_id: str
) -> None:
    datasets = deployment.datasets
    before = datasets.get(alice, dataset_id)
    assert (before["unique_visual_elements"], before["visual_elements_source"]) == ([], None)
    assert datasets.update(alice, dataset_id, {"unique_visual_elements": ["oak"]})["visual_elements_source"] == "manual"
    extracted = with_key(deployment).extract(alice, dataset_id, 10)
    assert (extracted["unique_visual_elements"], extracted["visual_elements_source"]) == (SEEN, "extracted")
    assert extracted["version"] == before["version"] + 2
    edited = datasets.update(alice, dataset_id, {"unique_visual_elements": SEEN[:2]})
    assert edited["visual_elements_source"] == "edited"
    assert datasets.update(alice, dataset_id, {"vibe": "cozy"})["visual_elements_source"] == "edited"
    cleared = datasets.update(alice, dataset_id, {"unique_visual_elements": []})
    assert cleared["visual_elements_source"] is None


def test_what_somebody_typed_meanwhile_is_not_lost(deployment: Deployment, alice: Caller, dataset_id: str) -> None:
    def look(*_: object) -> list[str]:
        deployment.datasets.update(alice, dataset_id, {"unique_visual_elements": ["theirs"]})
        return SEEN

    with pytest.raises(Conflict):
        replace(deployment.extraction, look=look).extract(alice, dataset_id, 10)
    assert deployment.datasets.get(alice, dataset_id)["unique_visual_elements"] == ["theirs"]


def test_who_may_and_when(deployment: Deployment, alice: Caller, dataset_id: str, vendor: Vendor) -> None:
    extraction = with_key(deployment)
    with pytest.raises(NotFound):
        extraction.extract(Caller("bob"), dataset_id, 10)
    deployment.datasets.update(alice, dataset_id, {"visibility": "public"})
    with pytest.raises(Forbidden):
        extraction.extract(Caller("bob"), dataset_id, 10)
    with pytest.raises(PreconditionFailed):
        extraction.extract(alice, dataset_id, 10, ['"1"'])
    with pytest.raises(Invalid, match="no vision model"):
        replace(extraction, look=None).extract(alice, dataset_id, 10)
    bare = deployment.datasets.create(alice, {"name": "Bare"})["id"]
    with pytest.raises(Invalid, match="no reference image"):
        extraction.extract(alice, bare, 10)
    assert vendor.received == 0
