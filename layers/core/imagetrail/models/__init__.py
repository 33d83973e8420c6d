"""Image models: what each can do, what it is asked for, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from imagetrail.errors import ModelFailed

ASPECT_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "4:5", "5:4", "21:9", "9:21")
RESOLUTIONS = ("1K", "2K", "4K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a model does by itself. What it does not is done by this package, or named in `dropped_params`.

    `styles` are the presets it knows by name; any other style still stands in the full prompt. `references` is the
    number of reference images it takes. `slow` are the resolutions that may take longer than the gateway waits.
    `max_prompt` is the characters of full prompt it takes, None where its vendor documents no limit that could be met.
    """

    aspect_ratios: tuple[str, ...] = ASPECT_RATIOS
    resolutions: tuple[str, ...] = ("1K",)
    styles: tuple[str, ...] = ()
    references: int = 0
    seed: bool = True
    negative_prompt: bool = False
    quality: bool = False
    slow: tuple[str, ...] = ()
    max_prompt: int | None = None

    def takes(self, full_prompt: str) -> bool:
        """Whether it reads all of a full prompt of this length."""
        return self.max_prompt is None or len(full_prompt) <= self.max_prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference image: its bytes, and their type such as image/png."""

    data: bytes
    mime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One image to make, within what the model can do: a field it cannot honour is None, or its default.

    `width` and `height` are pixels, as `aspect_ratio` and `resolution` make them. `seconds` is how long the whole
    call may take, retries included.
    """

    prompt: str
    seed: int
    aspect_ratio: str
    resolution: str
    width: int
    height: int
    seconds: float
    style: str | None = None
    quality: str = "standard"
    negative_prompt: str | None = None
    image_format: str = "png"
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """An encoded picture (PNG, JPEG or WebP), of any size, and what has to be said of it in the record.

    `model` is the vendor's own name of what answered. `seed` is the one really used, None where the vendor does not
    say. `is_svg` marks a drawing made by this package itself; nothing else may be an SVG. `paid_resolution` is the one
    that the vendor charges for, if it is not the one that was asked for.
    """

    data: bytes
    provider: str
    model: str
    seed: int | None
    is_svg: bool = False
    paid_resolution: str | None = None


class ImageModel(Protocol):
    """Makes one image.

    Raises Blocked when the vendor refuses the prompt or its result, ModelFailed when it gives no usable picture. Both
    say in `charged` whether the vendor may have taken money.
    """

    def __call__(self, request: ImageRequest, /) -> ModelOutput: ...


class Unanswered(ModelFailed):
    """The request went out and no answer came: it may have been charged, so it is never sent again."""

    def __init__(self, detail: str = "The image model did not answer in time.") -> None:
        super().__init__(detail, charged=True)
