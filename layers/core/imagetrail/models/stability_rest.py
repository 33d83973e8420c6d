"""Stability AI over its REST API v2beta.

Source: the vendor's OpenAPI document at https://platform.stability.ai/docs/api-reference, read in November 2026.

What it does not do by itself: 2K and 4K are its Fast Upscale of the picture (4x of at most one megapixel, 2 credits
more), and a reference image is its Style Guide (5 credits, whatever the variant; the answer names it).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from urllib3.filepost import encode_multipart_formdata

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import RESOLUTIONS, Capabilities, ImageRequest, ModelOutput, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.models import ImageModel, Reference

    Fields = dict[str, str | tuple[str, bytes, str]]

STYLES = (
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
)
_STABLE_IMAGE = Capabilities(
    aspect_ratios=("1:1", "16:9", "9:16", "3:2", "2:3", "4:5", "5:4", "21:9", "9:21"),
    resolutions=RESOLUTIONS,
    styles=STYLES,
    references=1,
    negative_prompt=True,
    slow=("4K",),
    max_prompt=10_000,
)
_DIFFUSION = replace(_STABLE_IMAGE, references=0)
VARIANTS: Mapping[str, Capabilities] = {
    "core": _STABLE_IMAGE,
    "ultra": _STABLE_IMAGE,
    "sd3.5-large": _DIFFUSION,
    "sd3.5-large-turbo": _DIFFUSION,
    "sd3.5-medium": _DIFFUSION,
    "sd3.5-flash": _DIFFUSION,
}
_FORMATS = {"png": "png", "jpg": "jpeg", "webp": "webp"}
_GUIDE_RATIO = 2.5
_UPSCALER_SIDE, _UPSCALER_PIXELS = 1536, 1_048_576


@dataclass(frozen=True, slots=True)
class _Model:
    variant: str
    key: Callable[[], str]
    url: str
    pause: Callable[[float], None]

    def __call__(self, request: ImageRequest, /) -> ModelOutput:
        deadline = time.monotonic() + request.seconds
        if request.resolution == "1K":
            return self._generate(request, _FORMATS[request.image_format])
        return self._enlarge(self._generate(request, "png"), request, deadline - time.monotonic())

    def _generate(self, request: ImageRequest, output_format: str) -> ModelOutput:
        fields: Fields = {
            "prompt": request.prompt,
            "aspect_ratio": request.aspect_ratio,
            "seed": str(request.seed),
            "output_format": output_format,
        }
        if request.negative_prompt:
            fields["negative_prompt"] = request.negative_prompt
        if request.style in STYLES:
            fields["style_preset"] = request.style
        if request.references:
            path, model = "control/style", "stable-image-style-guide"
            fields["image"] = _guide(request.references[0])
        elif self.variant.startswith("sd3"):
            path, model = "generate/sd3", self.variant
            fields["model"] = self.variant
        else:
            path, model = f"generate/{self.variant}", f"stable-image-{self.variant}"
        reply = self._send(path, fields, request.seconds)
        seed = reply.headers.get("seed", "")
        return ModelOutput(
            data=reply.body, provider="stability", model=model, seed=int(seed) if seed.isdecimal() else None
        )

    def _enlarge(self, made: ModelOutput, request: ImageRequest, seconds: float) -> ModelOutput:
        """The picture four times as large. It is paid for: if enlarging fails it goes as it is, to be resized."""
        from imagetrail.pixels import UndecodableImage, encode  # only those who make images have libvips

        scale = min(
            _UPSCALER_SIDE / max(request.width, request.height),
            math.sqrt(_UPSCALER_PIXELS / (request.width * request.height)),
        )
        try:
            small = encode(made.data, int(request.width * scale), int(request.height * scale), "png")
            fields: Fields = {
                "image": ("picture", small.data, "image/png"),
                "output_format": _FORMATS[request.image_format],
            }
            reply = self._send("upscale/fast", fields, seconds)
        except Blocked as error:
            error.charged = True
            raise
        except ModelFailed as error:
            return made if error.charged else replace(made, paid_resolution="1K")
        except UndecodableImage:
            return replace(made, paid_resolution="1K")
        return replace(made, data=reply.body, model=f"{made.model} + stable-fast-upscale")

    def _send(self, path: str, fields: Fields, seconds: float) -> wire.Reply:
        """A picture. Raises Blocked and ModelFailed."""
        body, content_type = encode_multipart_formdata(fields)
        headers = {
            "authorization": f"Bearer {wire.header_value(self.key())}",
            "accept": "image/*",
            "content-type": content_type,
        }
        url = f"{self.url}/v2beta/stable-image/{path}"
        reply = wire.post(url, headers, body, seconds=seconds, pause=self.pause)
        if reply.status == 403 and reply.document().get("name") == "content_moderation":
            raise Blocked  # "your request was denied and you were not charged"
        if reply.status != 200:
            raise wire.failure(reply)
        if reply.headers.get("finish-reason") == "CONTENT_FILTERED":
            raise Blocked("The image model withheld its result.", charged=True)  # "successful generation", blurred
        if not reply.body:
            raise ModelFailed("The image model answered without a picture.", charged=True)
        return reply


def _guide(reference: Reference) -> tuple[str, bytes, str]:
    """A reference image as the Style Guide takes it; what it does not take is the vendor's to say."""
    from imagetrail.pixels import UndecodableImage, stocky

    try:
        middle = stocky(reference.data, _GUIDE_RATIO)
    except UndecodableImage:
        middle = None
    return ("reference", reference.data, reference.mime) if middle is None else ("reference", middle, "image/png")


def connect(
    variant: str, *, key: Callable[[], str], url: str, pause: Callable[[float], None] = time.sleep
) -> ImageModel:
    """The model of a variant. `key` is asked before every request; `url` is https://api.stability.ai, or a test's."""
    return _Model(variant, key, wire.base(url), pause)
