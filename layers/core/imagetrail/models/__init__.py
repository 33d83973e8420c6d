"""Image models: what each is asked for, what it gives, and where to find it by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

_MODULES = {"procedural": "imagetrail.models.procedural"}
NAMES = tuple(_MODULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One image to make; `width` and `height` are the pixels wanted in the end."""

    prompt: str
    seed: int
    width: int
    height: int
    style: str | None = None
    quality: str = "standard"
    negative_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """What a model gave: an encoded picture, and what has to be said of it in the record.

    `dropped_params` names what was asked for and could not be honoured. `is_svg` marks a drawing made by this
    package itself; nothing else may be an SVG.
    """

    data: bytes
    provider: str
    model: str
    seed: int
    cost_usd: float
    dropped_params: tuple[str, ...] = ()
    is_svg: bool = False


class ImageModel(Protocol):
    """Makes one image. Raises Blocked when it refuses, ModelFailed when it cannot."""

    def __call__(self, request: ImageRequest, /) -> ModelOutput: ...


def load(name: str) -> ImageModel:
    """The model of this name, imported when first asked for. Raises KeyError for a name not in NAMES."""
    generate: ImageModel = import_module(_MODULES[name]).generate
    return generate
