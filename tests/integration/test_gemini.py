"""Gemini's image models over the wire, against a server of Google's own protocol."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import pyvips

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import Reference, wire
from imagetrail.models.gemini import VARIANTS, connect
from tests.integration.model_contract import KEY, REQUEST, Bench, ModelContract, discreet
from tests.integration.vendors import gemini_server
from tests.integration.vendors.loopback import Answer, Vendor, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.models import ImageModel

JSON = {"content-type": "application/json"}
CAN = VARIANTS[gemini_server.MODEL]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(gemini_server.answer) as vendor:
        yield vendor
        wire.close()


@pytest.fixture
def bench(vendor: Vendor) -> Bench:
    pauses: list[float] = []
    return Bench(
        vendor,
        lambda key: connect(gemini_server.MODEL, key=lambda: key, url=vendor.url, pause=pauses.append),
        lambda: sum(pauses),
        provider="google",
        model="gemini-3-pro-image",
    )


class TestContract(ModelContract):
    """What every adapter keeps to."""


def model(vendor: Vendor, variant: str = gemini_server.MODEL) -> ImageModel:
    return connect(variant, key=lambda: KEY, url=vendor.url, pause=lambda _: None)


def picture(kind: str) -> bytes:
    return bytes(pyvips.Image.black(64, 64, bands=3).write_to_buffer(f".{kind}"))


def test_prompt_and_references_go_in_order(vendor: Vendor) -> None:
    kinds = [("image/png", "png"), ("image/jpeg", "jpg"), ("image/webp", "webp")]
    references = tuple(Reference(data=picture(kind), mime=mime) for mime, kind in kinds)
    model(vendor)(replace(REQUEST, references=references, aspect_ratio="21:9"))
    inline = [
        {"inlineData": {"mimeType": reference.mime, "data": base64.b64encode(reference.data).decode()}}
        for reference in references
    ]
    assert orjson.loads(vendor.requests[0].body) == {
        "contents": [{"role": "user", "parts": [{"text": REQUEST.prompt}, *inline]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "seed": REQUEST.seed,
            "imageConfig": {"aspectRatio": "21:9", "imageSize": "1K"},
        },
    }


@pytest.mark.parametrize(("count", "taken"), [(CAN.references, True), (CAN.references + 1, False)])
def test_it_takes_as_many_references_as_it_claims(vendor: Vendor, count: int, *, taken: bool) -> None:
    asked = replace(REQUEST, references=(Reference(data=picture("png"), mime="image/png"),) * count)
    if taken:
        assert model(vendor)(asked).data
        return
    with pytest.raises(ModelFailed) as caught:
        model(vendor)(asked)
    assert discreet(caught.value).charged is False
    assert vendor.received == 1


@pytest.mark.parametrize("ratio", CAN.aspect_ratios)
def test_every_ratio_it_claims_is_one_of_the_vendor(vendor: Vendor, ratio: str) -> None:
    assert model(vendor)(replace(REQUEST, aspect_ratio=ratio)).data


@pytest.mark.parametrize("resolution", CAN.resolutions)
def test_every_resolution_it_claims_is_drawn(vendor: Vendor, resolution: str) -> None:
    image = pyvips.Image.new_from_buffer(model(vendor)(replace(REQUEST, resolution=resolution)).data, "")
    assert (image.width, image.height) == (gemini_server.SIDES[resolution],) * 2


@pytest.mark.parametrize(("seed", "used"), [(0, 0), (2**31 - 1, 2**31 - 1), (2**31, 0), (4_294_967_294, 2**31 - 2)])
def test_a_seed_too_large_is_folded_and_tells_so(vendor: Vendor, seed: int, used: int) -> None:
    assert model(vendor)(replace(REQUEST, seed=seed)).seed == used
    assert orjson.loads(vendor.requests[0].body)["generationConfig"]["seed"] == used


def test_an_exact_id_may_be_any_model(vendor: Vendor) -> None:
    with pytest.raises(ModelFailed):
        model(vendor, "gemini-9-image")(REQUEST)
    assert vendor.requests[0].path.endswith("/models/gemini-9-image:generateContent")
    with pytest.raises(ValueError, match="not the id"):
        model(vendor, "../files")


@pytest.mark.parametrize("reason", ["SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_RECITATION", "BLOCKLIST"])
@pytest.mark.parametrize(
    ("usage", "charged"),
    [
        ({}, True),
        ({"usageMetadata": {"promptTokenCount": 9}}, False),
        ({"usageMetadata": {"candidatesTokenCount": 9}}, True),
    ],
)
def test_a_refusal_costs_what_it_has_drawn(reason: str, usage: dict[str, Any], *, charged: bool) -> None:
    with pytest.raises(Blocked) as caught:
        answered({"candidates": [{"finishReason": reason}]} | usage)
    assert caught.value.charged is charged


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"candidates": None},
        {"candidates": [None, 1, {}]},
        {"candidates": [{"content": None}]},
        {"candidates": [{"content": {"parts": [{"text": "Here is no picture."}]}, "finishReason": "STOP"}]},
        {"candidates": [{"content": {"parts": [{"inlineData": None}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": {"data": 7}}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": {"data": ""}}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": {"data": "%%%"}}]}}]},
        {"candidates": [{"content": {"parts": [{"thought": True, "inlineData": {"data": "AAAA"}}]}}]},
        {"candidates": [{"finishReason": "NO_IMAGE"}]},
    ],
)
def test_an_answer_without_a_picture_is_a_failure_that_may_have_charged(document: object) -> None:
    with pytest.raises(ModelFailed, match="without a picture") as caught:
        answered(document)
    assert caught.value.charged is True


def answered(document: object) -> None:
    """A call to which Google answers this."""
    with serving(lambda *_: Answer(200, JSON, orjson.dumps(document))) as vendor:
        try:
            model(vendor)(REQUEST)
        finally:
            wire.close()
