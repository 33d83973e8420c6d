"""The models of a deployment as its callers see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagetrail import moments, prices
from imagetrail.models import RESOLUTIONS

if TYPE_CHECKING:
    from datetime import date

    from imagetrail.models.catalog import Catalog


def described(catalog: Catalog, on: date | None = None) -> list[dict[str, Any]]:
    """Every model on offer, the default first: what it does by itself, and the price of an image per resolution."""
    day = on or moments.utc_now().date()
    default = catalog.choose(None)[0]
    return [
        {
            "name": name,
            "default": name == default,
            "aspect_ratios": list(can.aspect_ratios),
            "resolutions": list(can.resolutions),
            "styles": list(can.styles),
            "reference_images": can.references,
            "seed": can.seed,
            "negative_prompt": can.negative_prompt,
            "quality": can.quality,
            "slow": list(can.slow),
            "max_prompt": can.max_prompt,
            "price_usd": {
                resolution: float(prices.cost(name, resolution, "standard", day)) for resolution in RESOLUTIONS
            },
        }
        for name, can in catalog.offers.items()
    ]
