"""What was asked for, made to fit what a model can do: nothing is lost without being named."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagetrail.models import ImageRequest

if TYPE_CHECKING:
    from imagetrail.models import Capabilities, Reference

MAX_SEED = 4_294_967_294
LONGER_SIDE = {"1K": 1024, "2K": 2048, "4K": 4096}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller asked for, whatever model will answer.

    `references_offered` is how many reference images the dataset has; `references` are those that could be loaded.
    """

    prompt: str
    aspect_ratio: str
    resolution: str
    quality: str
    image_format: str
    seed: int | None = None
    style: str | None = None
    negative_prompt: str | None = None
    references: tuple[Reference, ...] = ()
    references_offered: int = 0


def fit(wish: Wish, can: Capabilities, seconds: float) -> tuple[ImageRequest, list[str]]:
    """The request for a model, and the names of the parameters it does not honour.

    A ratio the model lacks becomes its nearest one, uncropped; a resolution it lacks is reached by resizing, and is
    no loss to name. A style without a preset still stands in the prompt.
    """
    ratio = nearest_ratio(wish.aspect_ratio, can.aspect_ratios)
    width, height = dimensions(ratio, wish.resolution)
    used = min(len(wish.references), can.references)
    dropped = [
        name
        for name, lost in (
            ("aspect_ratio", ratio != wish.aspect_ratio),
            ("negative_prompt", wish.negative_prompt is not None and not can.negative_prompt),
            ("quality", wish.quality != "standard" and not can.quality),
            ("reference_images", used < max(wish.references_offered, len(wish.references))),
            ("seed", wish.seed is not None and not can.seed),
        )
        if lost
    ]
    request = ImageRequest(
        prompt=wish.prompt,
        seed=secrets.randbelow(MAX_SEED + 1) if wish.seed is None else wish.seed,
        aspect_ratio=ratio,
        resolution=wish.resolution,
        width=width,
        height=height,
        seconds=seconds,
        style=wish.style if wish.style in can.styles else None,
        quality=wish.quality if can.quality else "standard",
        negative_prompt=wish.negative_prompt if can.negative_prompt else None,
        image_format=wish.image_format,
        references=wish.references[:used],
    )
    return request, dropped


def dimensions(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height in pixels: the longer side is that of the resolution."""
    across, down = _parts(aspect_ratio)
    longer = LONGER_SIDE[resolution]
    shorter = round(longer * min(across, down) / max(across, down))
    return (longer, shorter) if across >= down else (shorter, longer)


def nearest_ratio(wanted: str, native: tuple[str, ...]) -> str:
    """The native ratio whose shape is closest: by the factor between the two, so 4:3 is as far from 1:1 as 3:4."""

    def distance(ratio: str) -> float:
        (a, b), (c, d) = _parts(wanted), _parts(ratio)
        return max(a * d / (b * c), b * c / (a * d))

    return min(native, key=distance)


def _parts(ratio: str) -> tuple[int, int]:
    across, down = ratio.split(":")
    return int(across), int(down)
