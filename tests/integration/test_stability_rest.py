"""Stability AI's REST API over the wire, against a server of the vendor's own protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pyvips

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import RESOLUTIONS, Reference, Unanswered, wire
from imagetrail.models.stability_rest import VARIANTS, connect
from imagetrail.pixels import encode
from tests.integration.model_contract import KEY, REQUEST, Bench, ModelContract, discreet
from tests.integration.vendors import stability_server
from tests.integration.vendors.loopback import Vendor, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagetrail.models import ImageModel
    from tests.integration.model_contract import Step


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(stability_server.answer) as vendor:
        yield vendor
        wire.close()


@pytest.fixture
def bench(vendor: Vendor) -> Bench:
    pauses: list[float] = []
    return Bench(
        vendor,
        lambda key: connect("core", key=lambda: key, url=vendor.url, pause=pauses.append),
        lambda: sum(pauses),
        provider="stability",
        model="stable-image-core",
    )


class TestContract(ModelContract):
    """What every adapter keeps to."""


def model(vendor: Vendor, variant: str = "core") -> ImageModel:
    return connect(variant, key=lambda: KEY, url=vendor.url, pause=lambda _: None)


def sent(vendor: Vendor) -> list[tuple[str, dict[str, str]]]:
    """The path and the text fields of every request."""
    parsed = [(request.path, stability_server.fields(request) or {}) for request in vendor.requests]
    return [
        (
            path.removeprefix("/v2beta/stable-image/"),
            {name: value.decode() for name, value in fields.items() if name != "image"},
        )
        for path, fields in parsed
    ]


def picture(width: int, height: int) -> bytes:
    return bytes(pyvips.Image.black(width, height, bands=3).write_to_buffer(".png"))


@pytest.mark.parametrize(
    ("variant", "path", "name"),
    [
        ("core", "generate/core", "stable-image-core"),
        ("ultra", "generate/ultra", "stable-image-ultra"),
        *((name, "generate/sd3", name) for name in stability_server.DIFFUSION),
    ],
)
def test_each_variant_has_its_endpoint_and_its_name(vendor: Vendor, variant: str, path: str, name: str) -> None:
    assert set(VARIANTS) == {"core", "ultra", *stability_server.DIFFUSION}
    assert model(vendor, variant)(REQUEST).model == name
    fields = {
        "prompt": REQUEST.prompt,
        "aspect_ratio": "1:1",
        "seed": str(REQUEST.seed),
        "output_format": "png",
    } | ({"model": name} if path == "generate/sd3" else {})
    assert sent(vendor) == [(path, fields)]


def test_everything_that_can_be_said_is_said(vendor: Vendor) -> None:
    prompt = 'naïve "quotes"\r\n--boundary\r\n名前'
    asked = replace(REQUEST, prompt=prompt, style="origami", negative_prompt="text, 文字", image_format="jpg", seed=1)
    output = model(vendor)(asked)
    assert output.data.startswith(b"\xff\xd8\xff")
    assert sent(vendor)[0][1] == {
        "prompt": prompt,
        "negative_prompt": "text, 文字",
        "aspect_ratio": "1:1",
        "seed": "1",
        "output_format": "jpeg",
        "style_preset": "origami",
    }


def test_a_style_without_a_preset_is_left_to_the_prompt(vendor: Vendor) -> None:
    model(vendor)(replace(REQUEST, style="Bauhaus"))
    assert "style_preset" not in sent(vendor)[0][1]


def test_the_seed_that_the_vendor_chose_is_the_seed(vendor: Vendor) -> None:
    assert model(vendor)(replace(REQUEST, seed=0)).seed == stability_server.RANDOM_SEED


@pytest.mark.parametrize("ratio", VARIANTS["core"].aspect_ratios)
def test_every_ratio_it_claims_is_one_of_the_vendor(vendor: Vendor, ratio: str) -> None:
    image = pyvips.Image.new_from_buffer(model(vendor)(replace(REQUEST, aspect_ratio=ratio)).data, "")
    across, down = (int(part) for part in ratio.split(":"))
    assert image.width / image.height == pytest.approx(across / down, rel=0.07)


@pytest.mark.parametrize(
    ("ratio", "resolution", "width", "height"),
    [("1:1", "2K", 2048, 2048), ("16:9", "4K", 4096, 2304), ("9:21", "2K", 878, 2048)],
)
def test_a_large_picture_is_drawn_and_then_enlarged(
    vendor: Vendor, ratio: str, resolution: str, width: int, height: int
) -> None:
    assert set(VARIANTS["core"].resolutions) == set(RESOLUTIONS)
    asked = replace(REQUEST, aspect_ratio=ratio, resolution=resolution, width=width, height=height, image_format="webp")
    output = model(vendor)(asked)
    assert output.model == "stable-image-core + stable-fast-upscale"
    assert [(path, fields["output_format"]) for path, fields in sent(vendor)] == [
        ("generate/core", "png"),
        ("upscale/fast", "webp"),
    ]
    image = pyvips.Image.new_from_buffer(output.data, "")
    assert image.width >= width
    assert image.height >= height
    assert image.width / image.height == pytest.approx(width / height, rel=0.01)
    assert (output.seed, vendor.charged) == (REQUEST.seed, 2)


@pytest.mark.parametrize(
    ("steps", "paid"),
    [(["error"] * 3, "1K"), (["busy for 1 h"], "1K"), (["cut after"], None), (["no credits"], "1K")],
)
def test_a_picture_that_cannot_be_enlarged_is_not_lost(vendor: Vendor, steps: list[Step], paid: str | None) -> None:
    """Nor is it paid for as if it had been, unless that may have happened."""
    vendor.script("ok", *steps)
    output = model(vendor)(replace(REQUEST, resolution="2K", width=2048, height=2048))
    assert output.paid_resolution == paid
    assert output.model == "stable-image-core"
    assert encode(output.data, 2048, 2048, "png").width == 2048


def test_an_enlarged_picture_that_is_withheld_is_blocked(vendor: Vendor) -> None:
    vendor.script("ok", "blocked")
    with pytest.raises(Blocked) as caught:
        model(vendor)(replace(REQUEST, resolution="2K", width=2048, height=2048))
    assert discreet(caught.value).charged is True


def test_a_reference_makes_it_the_style_guide(vendor: Vendor) -> None:
    reference = Reference(data=picture(300, 200), mime="image/png")
    output = model(vendor, "ultra")(replace(REQUEST, references=(reference,), aspect_ratio="3:2", style="anime"))
    assert output.model == "stable-image-style-guide"
    ((path, fields),) = sent(vendor)
    assert path == "control/style"
    assert (fields["aspect_ratio"], fields["style_preset"]) == ("3:2", "anime")
    assert (stability_server.fields(vendor.requests[0]) or {})["image"] == reference.data


@pytest.mark.parametrize(("sides", "sent_sides"), [((600, 200), (500, 200)), ((200, 900), (200, 500))])
def test_a_long_reference_is_cropped_to_what_the_vendor_takes(
    vendor: Vendor, sides: tuple[int, int], sent_sides: tuple[int, int]
) -> None:
    model(vendor)(replace(REQUEST, references=(Reference(data=picture(*sides), mime="image/png"),)))
    got = pyvips.Image.new_from_buffer((stability_server.fields(vendor.requests[0]) or {})["image"], "")
    assert (got.width, got.height) == sent_sides


@pytest.mark.parametrize(
    "asked",
    [
        replace(REQUEST, aspect_ratio="4:3"),
        replace(REQUEST, prompt="x" * 10_001),
        replace(REQUEST, references=(Reference(data=picture(60, 60), mime="image/png"),)),
        replace(REQUEST, references=(Reference(data=bytes(11 << 20), mime="image/png"),)),
    ],
    ids=["ratio", "prompt", "size of a reference", "weight of a reference"],
)
def test_what_the_vendor_does_not_take_is_a_free_failure(vendor: Vendor, asked: object) -> None:
    with pytest.raises(ModelFailed) as caught:
        model(vendor)(asked)  # type: ignore[arg-type]
    assert discreet(caught.value).charged is False
    assert vendor.received == 1


def test_connections_are_kept_and_dead_ones_noticed(vendor: Vendor) -> None:
    draw = model(vendor)
    draw(REQUEST)
    draw(REQUEST)
    assert vendor.connections == 1
    vendor.stop()
    vendor.start()
    draw(REQUEST)
    assert (vendor.connections, vendor.received) == (2, 3)


def test_a_connection_that_rested_is_not_trusted(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = model(vendor)
    draw(REQUEST)
    monkeypatch.setattr(wire, "_IDLE_SECONDS", 0.0)
    draw(REQUEST)
    assert (vendor.connections, vendor.received) == (2, 2)


def test_a_vendor_that_comes_back_is_found(vendor: Vendor) -> None:
    vendor.stop()
    draw = connect("core", key=lambda: KEY, url=vendor.url, pause=lambda _: vendor.start())
    assert draw(REQUEST).data
    assert (vendor.received, vendor.charged) == (1, 1)


def test_without_tls_nothing_is_sent(vendor: Vendor) -> None:
    secure = vendor.url.replace("http:", "https:")
    with pytest.raises(ModelFailed) as caught:
        connect("core", key=lambda: KEY, url=secure, pause=lambda _: None)(REQUEST)
    assert not isinstance(discreet(caught.value), Unanswered)
    assert vendor.received == 0


def test_a_key_never_travels_in_the_clear() -> None:
    with pytest.raises(ValueError, match="https"):
        connect("core", key=lambda: KEY, url="http://api.stability.ai")


def test_the_key_is_asked_for_every_time_and_may_end_in_a_newline(vendor: Vendor) -> None:
    keys = iter([f"{KEY}\n", "sk-revoked"])
    draw = connect("core", key=lambda: next(keys), url=vendor.url)
    assert draw(REQUEST).data
    with pytest.raises(ModelFailed, match="key"):
        draw(REQUEST)
