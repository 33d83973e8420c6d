"""Stability AI over gRPC: the SDK against a real server of its own protocol."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from imagetrail.errors import ModelFailed
from imagetrail.models import ASPECT_RATIOS, Unanswered, stability
from imagetrail.pixels import encode
from tests.integration.model_contract import KEY, PROMPT, REQUEST, Bench, ModelContract
from tests.integration.vendors.stability_grpc_server import SIZES, Vendor, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINE = "stable-diffusion-xl-1024-v1-0"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as vendor:
        yield vendor


@pytest.fixture
def bench(vendor: Vendor) -> Bench:
    pauses: list[float] = []
    return Bench(
        vendor=vendor,
        connect=lambda key: stability.connect(ENGINE, key=lambda: key, url=vendor.url, pause=pauses.append),
        waited=lambda: sum(pauses),
        provider="stability",
        model=ENGINE,
    )


class TestContract(ModelContract):
    """Over TLS, because without it there is no key."""


def test_everything_asked_for_is_said(bench: Bench, vendor: Vendor) -> None:
    bench.connect(KEY)(replace(REQUEST, seed=0, negative_prompt="fog", style="neon-punk", aspect_ratio="16:9"))
    (sent,) = vendor.requests
    assert [(prompt.text, prompt.parameters.weight) for prompt in sent.prompt] == [(PROMPT, 1), ("fog", -1)]
    assert (sent.image.width, sent.image.height, list(sent.image.seed)) == (1344, 768, [0])
    assert sent.extras["$IPC"]["preset"] == "neon-punk"


@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_every_ratio_has_a_size_of_the_engine_within_four_percent(ratio: str) -> None:
    width, height = stability.SIZES[ratio]
    across, down = (int(part) for part in ratio.split(":"))
    assert f"{width}x{height}" in SIZES
    assert 0.96 < (width / height) / (across / down) < 1.04


def test_the_default_engine_offers_what_it_can() -> None:
    can = stability.VARIANTS[ENGINE]
    assert list(stability.VARIANTS) == [ENGINE]
    assert can.aspect_ratios == ASPECT_RATIOS
    assert (can.references, can.negative_prompt, can.seed, can.quality, can.resolutions) == (
        0,
        True,
        True,
        False,
        ("1K",),
    )


@pytest.mark.parametrize("count", [0, 50])
def test_answers_without_a_picture_only_say_to_wait(bench: Bench, vendor: Vendor, count: int) -> None:
    vendor.keepalives = count
    assert encode(bench.generate().data, 1024, 1024, "webp").width == 1024


def test_a_picture_larger_than_the_sdk_reads_by_itself_passes(bench: Bench, vendor: Vendor) -> None:
    vendor.script("large")
    assert len(bench.generate().data) > 20 << 20


def test_an_error_in_place_of_a_picture_is_a_free_failure(bench: Bench, vendor: Vendor) -> None:
    vendor.script("failed")
    assert bench.failed().charged is False


def test_an_answer_that_ends_without_a_picture_may_have_charged(bench: Bench, vendor: Vendor) -> None:
    vendor.script("nothing")
    assert bench.failed().charged is True


@pytest.mark.parametrize("status", ["INTERNAL", "UNKNOWN", "UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"])
def test_a_failure_without_the_vendors_headers_is_none_of_its_own(bench: Bench, vendor: Vendor, status: str) -> None:
    vendor.script(status)
    error = bench.failed()
    assert isinstance(error, Unanswered)
    assert vendor.received == 1


@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED"])
def test_what_only_an_operator_can_mend_is_not_tried_again(bench: Bench, vendor: Vendor, status: str) -> None:
    vendor.script(status)
    error = bench.failed()
    assert (error.charged, error.retry_after, vendor.received) == (False, 300, 1)


def test_connections_cut_before_anything_is_sent_are_made_again(bench: Bench, vendor: Vendor) -> None:
    vendor.line.refusals = 2
    assert bench.generate().data
    assert (vendor.line.connections, vendor.received, vendor.charged) == (3, 1, 1)


def test_a_line_that_never_stands_ends_with_the_deadline(bench: Bench, vendor: Vendor) -> None:
    vendor.line.refusals = 1_000
    started = time.monotonic()
    error = bench.failed(seconds=0.5)
    assert time.monotonic() - started < 0.9
    assert (error.charged, vendor.received) == (False, 0)


def test_a_certificate_of_someone_else_gets_no_request(vendor: Vendor) -> None:
    port = vendor.line.port
    model = stability.connect(ENGINE, key=lambda: KEY, url=f"localhost:{port}")
    with pytest.raises(ModelFailed, match="reached"):
        model(replace(REQUEST, seconds=0.5))
    assert vendor.received == 0


def test_a_key_never_goes_over_a_plain_connection() -> None:
    with pytest.raises(ValueError, match="TLS"):
        stability.connect(ENGINE, key=lambda: KEY, url="stability.example:80")
    with serving(secure=False) as vendor:
        assert stability.connect(ENGINE, key=lambda: pytest.fail("asked"), url=vendor.url)(REQUEST).data
        assert "authorization" not in vendor.metadata[0]
