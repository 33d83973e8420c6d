"""What an image costs: list prices of the vendors as dated data, so that a past image keeps its past price."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Price(NamedTuple):
    """US dollars for one image of a model, from a day on; a resolution or quality of None stands for every one."""

    model: str
    usd: Decimal
    valid_from: date
    resolution: str | None = None
    quality: str | None = None


_EVER = date(2020, 1, 1)
_CREDIT = Decimal("0.01")
_FAST_UPSCALE = 2 * _CREDIT

PRICES: tuple[Price, ...] = (
    Price("procedural", Decimal(0), _EVER),
    Price("stability", Decimal("0.9") * _CREDIT, _EVER),
    *(
        price
        for variant, taken in (
            ("core", "3"),
            ("ultra", "8"),
            ("sd3.5-large", "6.5"),
            ("sd3.5-large-turbo", "4"),
            ("sd3.5-medium", "3.5"),
            ("sd3.5-flash", "2.5"),
        )
        for price in (
            Price(f"stability-rest/{variant}", Decimal(taken) * _CREDIT, _EVER),
            Price(f"stability-rest/{variant}", Decimal(taken) * _CREDIT + _FAST_UPSCALE, _EVER, "2K"),
            Price(f"stability-rest/{variant}", Decimal(taken) * _CREDIT + _FAST_UPSCALE, _EVER, "4K"),
        )
    ),
    Price("bedrock/core", Decimal("0.04"), _EVER),
    Price("bedrock/sd3.5-large", Decimal("0.08"), _EVER),
    Price("bedrock/ultra", Decimal("0.14"), _EVER),
    Price("gemini", Decimal("0.134"), _EVER),
    Price("gemini", Decimal("0.24"), _EVER, "4K"),
)


def stamp(record: Mapping[str, Any], model: str) -> float:
    """The `cost_usd` of a record if this model took money for it. Raises LookupError."""
    day = date.fromisoformat(record["created_at"][:10])
    return float(cost(model, record["resolution"], record["quality"], day))


def cost(model: str, resolution: str, quality: str, on: date) -> Decimal:
    """US dollars of one image on a day: the closest row counts, of those the newest. Raises LookupError."""
    rows = [
        price
        for price in PRICES
        if price.model == model
        and price.valid_from <= on
        and price.resolution in (None, resolution)
        and price.quality in (None, quality)
    ]
    if not rows:
        raise LookupError(f"no price is known for {model} on {on}")
    return max(rows, key=lambda p: (p.resolution is not None, p.quality is not None, p.valid_from)).usd
