"""What an image costs: list prices of the vendors as dated data, so that a past image keeps its past price."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Price(NamedTuple):
    """US dollars for one image of a model, from a day on.

    A resolution or quality of None stands for every one, and so does None for whether reference images were used.
    """

    model: str
    usd: Decimal
    valid_from: date
    resolution: str | None = None
    quality: str | None = None
    references: bool | None = None


_EVER = date(2020, 1, 1)
_CREDIT = Decimal("0.01")
_FAST_UPSCALE = 2 * _CREDIT
_STYLE_GUIDE = 5 * _CREDIT  # whatever the variant

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
    *(
        price
        for variant in ("core", "ultra")
        for price in (
            Price(f"stability-rest/{variant}", _STYLE_GUIDE, _EVER, references=True),
            Price(f"stability-rest/{variant}", _STYLE_GUIDE + _FAST_UPSCALE, _EVER, "2K", references=True),
            Price(f"stability-rest/{variant}", _STYLE_GUIDE + _FAST_UPSCALE, _EVER, "4K", references=True),
        )
    ),
    Price("bedrock/core", Decimal("0.04"), _EVER),
    Price("bedrock/sd3.5-large", Decimal("0.08"), _EVER),
    Price("bedrock/ultra", Decimal("0.14"), _EVER),
    Price("gemini", Decimal("0.134"), _EVER),
    Price("gemini", Decimal("0.24"), _EVER, "4K"),
)


def stamp(record: Mapping[str, Any], model: str, resolution: str | None = None) -> float:
    """The `cost_usd` of a record if this model took money for it. Raises LookupError.

    `resolution` is the one that was paid for, if it is another than the record's. A record that names reference images
    counts as made with them.
    """
    day = date.fromisoformat(record["created_at"][:10])
    referring = bool(record.get("reference_images"))
    return float(cost(model, resolution or record["resolution"], record["quality"], day, references=referring))


def cost(model: str, resolution: str, quality: str, on: date, *, references: bool = False) -> Decimal:
    """US dollars of one image on a day: the closest row counts, of those the newest. Raises LookupError."""
    rows = [
        price
        for price in PRICES
        if price.model == model
        and price.valid_from <= on
        and price.resolution in (None, resolution)
        and price.quality in (None, quality)
        and price.references in (None, references)
    ]
    if not rows:
        raise LookupError(f"no price is known for {model} on {on}")

    def closeness(price: Price) -> tuple[bool, bool, bool, date]:
        exact = price.references is not None, price.resolution is not None, price.quality is not None
        return (*exact, price.valid_from)

    return max(rows, key=closeness).usd
