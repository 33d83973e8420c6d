"""Google's Gemini image models over REST: generateContent, without an SDK.

Sources: https://ai.google.dev/gemini-api/docs/image-generation and https://ai.google.dev/api/generate-content, read in
November 2026. The format of the picture cannot be chosen and there is no negative prompt; a seed is best effort.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import RESOLUTIONS, Capabilities, ImageRequest, ModelOutput, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from imagetrail.models import ImageModel

VARIANTS: Mapping[str, Capabilities] = {
    "gemini-3-pro-image": Capabilities(
        aspect_ratios=("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "4:5", "5:4", "21:9"),
        resolutions=RESOLUTIONS,
        references=14,
        slow=("2K", "4K"),
    ),
}
_REFUSALS = frozenset(
    {
        "BLOCKLIST",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SAFETY",
        "SPII",
    }
)
_SEEDS = 2**31  # an int32 that is not negative


@dataclass(frozen=True, slots=True)
class _Model:
    variant: str
    key: Callable[[], str]
    url: str
    pause: Callable[[float], None]

    def __call__(self, request: ImageRequest, /) -> ModelOutput:
        seed = request.seed % _SEEDS
        headers = {"x-goog-api-key": wire.header_value(self.key()), "content-type": "application/json"}
        url = f"{self.url}/v1beta/models/{self.variant}:generateContent"
        body = orjson.dumps(_asked(request, seed))
        reply = wire.post(url, headers, body, seconds=request.seconds, pause=self.pause, asked=_retry_delay)
        if reply.status != 200:
            raise _failure(reply)
        answer = reply.document()
        version = answer.get("modelVersion")
        return ModelOutput(
            data=_picture(answer),
            provider="google",
            model=version if isinstance(version, str) else self.variant,
            seed=seed,
        )


def connect(
    variant: str, *, key: Callable[[], str], url: str, pause: Callable[[float], None] = time.sleep
) -> ImageModel:
    """The model of that exact id. `url` is https://generativelanguage.googleapis.com, or a test's."""
    if not re.fullmatch(r"[a-z0-9.-]+", variant):
        raise ValueError("not the id of a Gemini model")
    return _Model(variant, key, wire.base(url), pause)


def _asked(request: ImageRequest, seed: int) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"inlineData": {"mimeType": reference.mime, "data": base64.b64encode(reference.data).decode()}}
        for reference in request.references
    ]
    return {
        "contents": [{"role": "user", "parts": [{"text": request.prompt}, *parts]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "seed": seed,
            "imageConfig": {"aspectRatio": request.aspect_ratio, "imageSize": request.resolution},
        },
    }


def _picture(answer: dict[str, Any]) -> bytes:
    """The last picture of the answer that is no thought. Raises Blocked and ModelFailed."""
    candidates = _dicts(answer.get("candidates"))
    feedback = _dict(answer.get("promptFeedback"))
    # An answer without a picture costs what its output tokens do; a refusal usually has none (a zero is left out).
    usage = _dict(answer.get("usageMetadata"))
    charged = bool(usage.get("candidatesTokenCount")) if usage else not feedback
    if feedback.get("blockReason") or any(candidate.get("finishReason") in _REFUSALS for candidate in candidates):
        raise Blocked(charged=charged)
    pictures = [
        _dict(part["inlineData"]).get("data")
        for candidate in candidates
        for part in _dicts(_dict(candidate.get("content")).get("parts"))
        if "inlineData" in part and not part.get("thought")
    ]
    with suppress(binascii.Error, TypeError, ValueError, IndexError):
        if picture := base64.b64decode(pictures[-1] or "", validate=True):
            return picture
    raise ModelFailed("The image model answered without a picture.", charged=charged)


def _failure(reply: wire.Reply) -> ModelFailed:
    """Google says 400 also to a wrong key; the reason stands in the details."""
    if any(detail.get("reason") == "API_KEY_INVALID" for detail in _details(reply)):
        return wire.failure(reply._replace(status=401))
    return wire.failure(reply, _retry_delay)


def _retry_delay(reply: wire.Reply) -> float | None:
    """Seconds of google.rpc.RetryInfo, such as "37s" or "3.5s"."""
    for detail in _details(reply):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and re.fullmatch(r"\d{1,6}(\.\d+)?s", delay):
            return float(delay[:-1])
    return wire.retry_after(reply)


def _details(reply: wire.Reply) -> Iterator[dict[str, Any]]:
    yield from _dicts(_dict(reply.document().get("error")).get("details"))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
