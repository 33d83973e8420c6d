"""What every adapter of a vendor's image model keeps to, whatever the wire: the cases, and the seam to a vendor.

An adapter's test module subclasses `ModelContract` and gives the fixture `bench`: how to connect, and a server that
speaks the vendor's own protocol and counts.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import pytest

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import ImageRequest, Unanswered
from imagetrail.pixels import UndecodableImage, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagetrail.models import ImageModel, ModelOutput

Step = Literal[
    "ok",
    "blocked",  # the prompt is refused, free of charge
    "filtered",  # an answer like a success, which says that its picture was withheld
    "no credits",
    "busy",
    "busy for 1 s",
    "busy for 1 h",
    "error",  # the vendor itself failed, and says so
    "gateway",  # something on the way failed: who knows what the vendor did
    "hang",  # the request is taken and charged, and never answered
    "cut after",  # the same, and the connection ends
    "trickle",  # the picture arrives one byte at a time
    "huge",  # 80 MiB
    "garbage",  # bytes that are no picture
]

KEY = "sk-the-real-key"
PROMPT = "a lighthouse of secret red glass"
REQUEST = ImageRequest(
    prompt=PROMPT, seed=1234567, aspect_ratio="1:1", resolution="1K", width=1024, height=1024, seconds=10
)
DEADLINE, OVERRUN_SECONDS = 2.0, 5.0
_Error = TypeVar("_Error", ModelFailed, Blocked)


class Vendor(Protocol):
    """The vendor on loopback: `received` counts whole requests, `charged` the pictures it takes money for."""

    charged: int

    @property
    def received(self) -> int: ...

    def script(self, *steps: Step) -> None:
        """What the next requests meet, in this order; after them all goes well."""

    def stop(self) -> None:
        """Refuses connections from now on."""


@dataclass(frozen=True)
class Bench:
    """An adapter before its vendor. `connect` makes the model that uses a key (KEY is the good one); `waited` says
    how many seconds of pause the adapter has asked for, in all."""

    vendor: Vendor
    connect: Callable[[str], ImageModel]
    waited: Callable[[], float]
    provider: str
    model: str

    def generate(self, seconds: float = REQUEST.seconds) -> ModelOutput:
        return self.connect(KEY)(replace(REQUEST, seconds=seconds))

    def failed(self, seconds: float = REQUEST.seconds, key: str = KEY) -> ModelFailed:
        """The failure of one call, which tells no secret."""
        with pytest.raises(ModelFailed) as caught:
            self.connect(key)(replace(REQUEST, seconds=seconds))
        return discreet(caught.value, key)

    def blocked(self) -> Blocked:
        with pytest.raises(Blocked) as caught:
            self.generate()
        return discreet(caught.value)


def discreet(error: _Error, key: str = KEY) -> _Error:
    """The error, if nothing that would be logged of it holds the key, the prompt or the vendor's words."""
    told = "".join(traceback.format_exception(error)) + error.detail
    assert not [secret for secret in (key, PROMPT, "vendor-says") if secret.strip() and secret in told]
    return error


class ModelContract:
    """The cases. One that a wire cannot have is overridden, with its reason."""

    def test_a_picture_is_made_once_with_its_seed(self, bench: Bench) -> None:
        output = bench.generate()
        picture = encode(output.data, 1024, 1024, "png")
        assert (picture.width, picture.height) == (1024, 1024)
        assert (output.provider, output.model, output.seed, output.is_svg) == (
            bench.provider,
            bench.model,
            REQUEST.seed,
            False,
        )
        assert (bench.vendor.received, bench.vendor.charged) == (1, 1)

    def test_a_refused_prompt_is_blocked(self, bench: Bench) -> None:
        bench.vendor.script("blocked")
        assert bench.blocked().charged is False
        assert (bench.vendor.received, bench.vendor.charged) == (1, 0)

    def test_a_withheld_picture_is_blocked_and_costs_what_the_vendor_takes(self, bench: Bench) -> None:
        bench.vendor.script("filtered")
        assert bench.blocked().charged is bool(bench.vendor.charged)
        assert bench.vendor.received == 1

    @pytest.mark.parametrize("key", ["sk-another-key", "sk-two\nlines", " ", "sk-é"])
    def test_a_wrong_key_is_a_free_failure(self, bench: Bench, key: str) -> None:
        error = bench.failed(key=key)
        assert "key" in error.detail
        assert (error.charged, bench.vendor.charged) == (False, 0)

    def test_no_credits_are_a_free_failure(self, bench: Bench) -> None:
        bench.vendor.script("no credits", "no credits", "no credits")
        assert bench.failed().charged is False
        assert bench.vendor.charged == 0

    def test_a_busy_vendor_is_asked_again(self, bench: Bench) -> None:
        bench.vendor.script("busy")
        assert bench.generate().data
        assert (bench.vendor.received, bench.vendor.charged) == (2, 1)

    def test_a_busy_vendor_is_left_alone_as_long_as_it_asks(self, bench: Bench) -> None:
        bench.vendor.script("busy for 1 s")
        assert bench.generate().data
        assert 1 <= bench.waited() < 3
        assert bench.vendor.charged == 1

    def test_a_vendor_busy_for_longer_is_not_waited_for(self, bench: Bench) -> None:
        bench.vendor.script("busy for 1 h")
        error = bench.failed()
        assert (error.charged, error.retry_after) == (False, 3600)
        assert (bench.vendor.received, bench.vendor.charged) == (1, 0)

    def test_a_vendor_busy_for_ever_is_a_free_failure(self, bench: Bench) -> None:
        bench.vendor.script("busy", "busy", "busy", "busy", "busy")
        error = bench.failed()
        assert (error.charged, error.retry_after) == (False, 60)
        assert 1 < bench.vendor.received <= 4

    def test_one_failure_of_the_vendor_costs_nothing_but_time(self, bench: Bench) -> None:
        bench.vendor.script("error")
        assert bench.generate().data
        assert (bench.vendor.received, bench.vendor.charged) == (2, 1)

    def test_a_vendor_that_always_fails_is_a_free_failure(self, bench: Bench) -> None:
        bench.vendor.script("error", "error", "error", "error", "error")
        assert bench.failed().charged is False
        assert 1 < bench.vendor.received <= 4
        assert bench.vendor.charged == 0

    def test_a_failure_on_the_way_may_have_charged(self, bench: Bench) -> None:
        bench.vendor.script("gateway")
        error = bench.failed()
        assert isinstance(error, Unanswered)
        assert (error.charged, bench.vendor.received) == (True, 1)

    @pytest.mark.parametrize("step", ["hang", "trickle"])
    def test_a_slow_answer_ends_with_the_deadline(self, bench: Bench, step: Step) -> None:
        bench.vendor.script(step)
        started = time.monotonic()
        error = bench.failed(seconds=DEADLINE)
        assert time.monotonic() - started < DEADLINE + OVERRUN_SECONDS
        assert isinstance(error, Unanswered)
        assert (error.charged, bench.vendor.received) == (True, 1)

    def test_a_connection_cut_after_sending_is_never_tried_again(self, bench: Bench) -> None:
        bench.vendor.script("cut after")
        error = bench.failed()
        assert isinstance(error, Unanswered)
        assert (error.charged, bench.vendor.received) == (True, 1)

    def test_a_vendor_out_of_reach_is_a_free_failure(self, bench: Bench) -> None:
        bench.vendor.stop()
        error = bench.failed()
        assert not isinstance(error, Unanswered)
        assert error.charged is False

    def test_an_answer_without_end_is_not_read_to_it(self, bench: Bench) -> None:
        bench.vendor.script("huge")
        assert bench.failed().charged is True
        assert bench.vendor.received == 1

    def test_bytes_that_are_no_picture_do_not_pass_for_one(self, bench: Bench) -> None:
        bench.vendor.script("garbage")
        try:
            output = bench.generate()
        except ModelFailed as error:
            assert error.charged  # noqa: PT017 (an adapter may see for itself)
        else:
            with pytest.raises(UndecodableImage):
                encode(output.data, 1024, 1024, "png")
