"""Models, fitted to what was asked: nothing is lost unnamed, all have a price, a failing one is passed over."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from imagetrail import prices
from imagetrail.errors import Invalid, ModelFailed
from imagetrail.fitting import Wish, dimensions, fit, nearest_ratio
from imagetrail.models import ASPECT_RATIOS, RESOLUTIONS, Capabilities, ImageRequest, ModelOutput, Reference
from imagetrail.models.catalog import ADAPTERS, Catalog, variants
from imagetrail.models.offers import described
from imagetrail.settings import MisconfiguredError

EVERYTHING = ",".join(ADAPTERS)


def wish(**changes: Any) -> Wish:
    asked: dict[str, Any] = {
        "prompt": "a fox",
        "aspect_ratio": "16:9",
        "resolution": "2K",
        "quality": "standard",
        "image_format": "png",
    }
    return Wish(**{**asked, **changes})


def never(_: str) -> Any:
    raise AssertionError("no model is to be connected")


def test_a_model_that_can_all_gets_all() -> None:
    can = Capabilities(styles=("ink",), references=2, negative_prompt=True, quality=True)
    references = (Reference(data=b"1", mime="image/png"), Reference(data=b"2", mime="image/png"))
    request, dropped = fit(
        wish(style="ink", negative_prompt="rain", quality="high", seed=7, references=references), can, 10
    )
    assert dropped == []
    assert (request.style, request.negative_prompt, request.quality, request.seed) == ("ink", "rain", "high", 7)
    assert (request.width, request.height, request.references) == (2048, 1152, references)


@pytest.mark.parametrize(
    ("takes", "loaded", "offered", "used", "lost"),
    [(0, 0, 0, 0, False), (2, 2, 2, 2, False), (1, 2, 2, 1, True), (2, 1, 2, 1, True), (0, 0, 2, 0, True)],
)
def test_a_reference_that_is_not_used_is_named(takes: int, loaded: int, offered: int, used: int, lost: bool) -> None:
    references = tuple(Reference(data=bytes([n]), mime="image/png") for n in range(loaded))
    asked = wish(references=references, references_offered=offered)
    request, dropped = fit(asked, Capabilities(references=takes), 10)
    assert (request.references, "reference_images" in dropped) == (references[:used], lost)


def test_what_a_model_cannot_do_is_named() -> None:
    can = Capabilities(aspect_ratios=("1:1", "3:2"), seed=False)
    reference = Reference(data=b"1", mime="image/png")
    request, dropped = fit(
        wish(aspect_ratio="4:3", style="ink", negative_prompt="rain", quality="high", seed=7, references=(reference,)),
        can,
        10,
    )
    assert dropped == ["aspect_ratio", "negative_prompt", "quality", "reference_images", "seed"]
    assert (request.aspect_ratio, request.width, request.height) == ("3:2", 2048, 1365)
    assert (request.negative_prompt, request.quality, request.references) == (None, "standard", ())


def test_a_style_without_a_preset_stands_in_the_prompt_and_is_not_lost() -> None:
    request, dropped = fit(wish(style="my own"), Capabilities(styles=("ink",)), 10)
    assert (request.style, dropped) == (None, [])


def test_a_seed_nobody_chose_is_random_and_within_every_vendors_range() -> None:
    seeds = {fit(wish(), Capabilities(), 10)[0].seed for _ in range(20)}
    assert len(seeds) > 1
    assert all(0 <= seed <= 4_294_967_294 for seed in seeds)


@pytest.mark.parametrize(
    ("wanted", "native", "nearest"),
    [
        ("4:3", ("1:1", "5:4", "3:2"), "5:4"),
        ("3:4", ("1:1", "4:5", "2:3"), "4:5"),
        ("9:21", ("9:16", "1:1"), "9:16"),
        ("21:9", ASPECT_RATIOS, "21:9"),
    ],
)
def test_the_nearest_ratio(wanted: str, native: tuple[str, ...], nearest: str) -> None:
    assert nearest_ratio(wanted, native) == nearest


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_the_longer_side_is_the_resolution(ratio: str, resolution: str) -> None:
    assert max(dimensions(ratio, resolution)) == {"1K": 1024, "2K": 2048, "4K": 4096}[resolution]


def test_every_model_has_a_price_at_every_resolution_and_quality() -> None:
    for adapter in ADAPTERS:
        for name in variants(adapter):
            for resolution in RESOLUTIONS:
                for quality in ("draft", "standard", "high"):
                    assert prices.cost(name, resolution, quality, date(2026, 11, 1)) >= 0


def test_a_past_image_keeps_its_past_price(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        prices.Price("m", Decimal("0.03"), date(2026, 1, 1)),
        prices.Price("m", Decimal("0.05"), date(2026, 6, 1)),
        prices.Price("m", Decimal("0.09"), date(2026, 1, 1), "4K"),
    )
    monkeypatch.setattr(prices, "PRICES", rows)
    assert prices.cost("m", "1K", "standard", date(2026, 5, 31)) == Decimal("0.03")
    assert prices.cost("m", "1K", "standard", date(2026, 6, 1)) == Decimal("0.05")
    assert prices.cost("m", "4K", "standard", date(2026, 6, 1)) == Decimal("0.09")
    with pytest.raises(LookupError):
        prices.cost("m", "1K", "standard", date(2025, 12, 31))


def test_what_is_offered_and_what_is_tried() -> None:
    catalog = Catalog("stability-rest, bedrock/ultra", never)
    assert catalog.choose(None) == ["stability-rest/core", "bedrock/ultra"]
    assert catalog.choose("stability-rest/ultra") == ["stability-rest/ultra"]
    assert catalog.choose("stability-rest") == ["stability-rest/core"]
    assert [model["name"] for model in described(catalog) if model["default"]] == ["stability-rest/core"]
    for foreign in ("bedrock/core", "gemini", "procedural", ""):
        with pytest.raises(Invalid) as refused:
            catalog.choose(foreign)
        assert refused.value.errors[0][0] == "model"


def test_a_model_that_does_not_take_all_of_a_prompt_is_passed_over() -> None:
    catalog = Catalog("stability-rest,gemini,bedrock", never)
    assert catalog.choose(None, "x" * 10_000) == ["stability-rest/core", "gemini", "bedrock/core"]
    assert catalog.choose(None, "x" * 10_001) == ["gemini"]
    for _ in range(3):
        catalog.report("gemini", ModelFailed("no"))
    assert catalog.choose(None, "x" * 10_001) == ["gemini"]


@pytest.mark.parametrize(("configured", "asked"), [("stability-rest,bedrock", None), ("gemini,bedrock", "bedrock")])
def test_a_prompt_that_no_model_takes_is_refused_with_what_to_change(configured: str, asked: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        Catalog(configured, never).choose(asked, "x" * 10_412)
    assert "10,412 characters; the model takes 10,000" in refused.value.detail
    assert refused.value.errors == (("prompt", "must be 412 characters shorter, or have a shorter dataset or style"),)


@pytest.mark.parametrize("configured", ["", "dall-e", "bedrock/nova", "procedural,dall-e"])
def test_a_model_that_there_is_not_stops_the_deployment(configured: str) -> None:
    with pytest.raises(MisconfiguredError):
        Catalog(configured, never)


def test_every_adapter_can_be_offered_without_a_key() -> None:
    names = [model["name"] for model in described(Catalog(EVERYTHING, never))]
    assert len(set(names)) == len(names) > len(ADAPTERS)


def test_a_default_that_fails_three_times_is_passed_over_for_a_while() -> None:
    now = [0.0]
    catalog = Catalog("stability-rest,bedrock", never, clock=lambda: now[0])
    for _ in range(3):
        assert catalog.choose(None)[0] == "stability-rest/core"
        catalog.report("stability-rest/core", ModelFailed("no"))
    assert catalog.choose(None) == ["bedrock/core"]
    assert catalog.choose("stability-rest/core") == ["stability-rest/core"]
    now[0] = 31.0
    assert catalog.choose(None)[0] == "stability-rest/core"
    catalog.report("stability-rest/core", None)
    catalog.report("stability-rest/core", ModelFailed("no"))
    assert catalog.choose(None)[0] == "stability-rest/core"


def test_when_all_fail_the_first_is_tried_all_the_same() -> None:
    catalog = Catalog("procedural", never)
    for _ in range(9):
        catalog.report("procedural", ModelFailed("no"))
    assert catalog.choose(None) == ["procedural"]


def test_a_model_is_connected_once() -> None:
    connected = []

    def connect(name: str) -> Any:
        connected.append(name)

        def model(request: ImageRequest) -> ModelOutput:
            return ModelOutput(data=b"", provider="p", model=name, seed=request.seed)

        return model

    catalog = Catalog("procedural", connect)
    assert catalog.model("procedural") is catalog.model("procedural")
    assert connected == ["procedural"]


RECORD = {"created_at": "2026-11-22T10:00:00Z", "resolution": "2K", "quality": "standard"}


@pytest.mark.parametrize(
    ("model", "references", "paid", "usd"),
    [
        ("stability-rest/core", [], None, 0.05),
        ("stability-rest/core", [], "1K", 0.03),
        ("stability-rest/core", [{"key": "k", "sha256": "s"}], None, 0.07),
        ("stability-rest/ultra", [{"key": "k", "sha256": "s"}], None, 0.07),
        ("stability-rest/ultra", [{"key": "k", "sha256": "s"}], "1K", 0.05),
        ("stability-rest/sd3.5-flash", [{"key": "k", "sha256": "s"}], None, 0.045),
        ("gemini", [{"key": "k", "sha256": "s"}], None, 0.134),
    ],
)
def test_a_price_is_of_what_was_made(model: str, references: list[Any], paid: str | None, usd: float) -> None:
    """A style guide costs the same whatever the variant; a picture that was not enlarged costs no enlargement."""
    assert prices.stamp({**RECORD, "reference_images": references}, model, paid) == usd
