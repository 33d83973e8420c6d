"""Stability AI's REST API v2beta on loopback, as its OpenAPI document describes it: fields, limits, answers, errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import orjson
import pyvips

from imagetrail.models.stability_rest import STYLES
from tests.integration.model_contract import KEY
from tests.integration.vendors.loopback import LARGEST, Answer, Request

if TYPE_CHECKING:
    from tests.integration.model_contract import Step

RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
DIFFUSION = ("sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash")
RANDOM_SEED = 343940597
MEGAPIXEL = 1 << 20
_PICTURE = ("prompt", "negative_prompt", "aspect_ratio", "seed", "output_format", "style_preset")


class Endpoint(NamedTuple):
    """Fields it knows, those it needs, and the size of what it draws."""

    fields: tuple[str, ...]
    needed: tuple[str, ...] = ("prompt",)
    pixels: float = MEGAPIXEL


ENDPOINTS = {
    "generate/core": Endpoint(_PICTURE, pixels=1.5 * MEGAPIXEL),
    "generate/ultra": Endpoint((*_PICTURE, "image", "strength")),
    "generate/sd3": Endpoint((*_PICTURE, "image", "strength", "mode", "model", "cfg_scale")),
    "control/style": Endpoint((*_PICTURE, "image", "fidelity"), needed=("prompt", "image")),
    "upscale/fast": Endpoint(("image", "output_format"), needed=("image",)),
}
_CHOICES = {
    "aspect_ratio": RATIOS,
    "output_format": ("jpeg", "png", "webp"),
    "style_preset": STYLES,
    "model": DIFFUSION,
    "mode": ("text-to-image", "image-to-image"),
}
_NAMES = {
    400: "bad_request",
    401: "unauthorized",
    402: "payment_required",
    403: "content_moderation",
    404: "not_found",
    413: "payload_too_large",
    429: "rate_limit_exceeded",
    500: "internal_error",
}
_STEPS = {"no credits": 402, "blocked": 403, "busy": 429, "busy for 1 s": 429, "busy for 1 h": 429, "error": 500}


def answer(request: Request, step: Step) -> Answer:
    """What the vendor says to a request, unless the step has other plans."""
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return refused(401, "authorization: vendor-says no")
    if int(request.headers["content-length"]) > LARGEST:
        return refused(413, "body: must not be larger than 10MiB")
    endpoint = ENDPOINTS.get(request.path.removeprefix("/v2beta/stable-image/"))
    if endpoint is None:
        return refused(404, "the requested resource does not exist")
    if request.headers.get("accept") not in ("image/*", "application/json"):
        return refused(400, "accept: must be image/* or application/json")
    parsed = fields(request)
    if parsed is None:
        return refused(400, "content-type: must be multipart/form-data")
    if wrong := problems(endpoint, parsed):
        return refused(400, *wrong)
    if step == "gateway":
        return Answer(502, {"content-type": "text/html"}, b"<html>vendor-says bad gateway</html>", charged=True)
    if status := _STEPS.get(step):
        return refused(status, "vendor-says no", wait={"busy for 1 s": "1", "busy for 1 h": "3600"}.get(step))
    return drawn(request.path, endpoint, parsed, step)


def refused(status: int, *errors: str, wait: str | None = None) -> Answer:
    document = {"id": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4", "name": _NAMES[status], "errors": errors}
    headers = {"content-type": "application/json"} | ({"retry-after": wait} if wait else {})
    return Answer(status, headers, orjson.dumps(document))


def drawn(path: str, endpoint: Endpoint, parsed: dict[str, bytes], step: Step) -> Answer:
    text = {name: value.decode() for name, value in parsed.items() if name != "image"}
    seed = int(text.get("seed", "0")) or RANDOM_SEED
    if path.endswith("upscale/fast"):
        picture = opened(parsed["image"]).resize(4, kernel="nearest")
    else:
        across, down = (int(part) for part in text.get("aspect_ratio", "1:1").split(":"))
        width = round((endpoint.pixels * across / down) ** 0.5 / 64) * 64
        height = round((endpoint.pixels * down / across) ** 0.5 / 64) * 64
        picture = pyvips.Image.black(width, height, bands=3).linear(1, [seed % 256, seed // 256 % 256, 200])
    if step == "filtered":
        picture = picture.gaussblur(5)
    kind = text.get("output_format", "png")
    data = b"vendor-says garbage" if step == "garbage" else picture.cast("uchar").write_to_buffer(f".{kind}")
    reason = "CONTENT_FILTERED" if step == "filtered" else "SUCCESS"
    return Answer(
        200, {"content-type": f"image/{kind}", "finish-reason": reason, "seed": str(seed)}, data, charged=True
    )


def problems(endpoint: Endpoint, parsed: dict[str, bytes]) -> list[str]:
    """What the vendor finds wrong, as `field: message`."""
    wrong = [f"{name}: is not a known field" for name in parsed if name not in endpoint.fields]
    wrong += [f"{name}: is required" for name in endpoint.needed if not parsed.get(name)]
    text = {name: value.decode() for name, value in parsed.items() if name != "image"}
    wrong += [f"{name}: must be one of" for name, known in _CHOICES.items() if text.get(name, known[0]) not in known]
    wrong += [f"{name}: too long" for name in ("prompt", "negative_prompt") if len(text.get(name, "")) > 10_000]
    if not re.fullmatch(r"\d{1,10}", text.get("seed", "0")) or int(text.get("seed", "0")) > 4294967294:
        wrong.append("seed: must be between 0 and 4294967294")
    if "image" in parsed:
        wrong += image_problems(parsed["image"], is_upscale="prompt" not in endpoint.needed)
    return wrong


def image_problems(data: bytes, *, is_upscale: bool) -> list[str]:
    try:
        image = opened(data)
    except pyvips.Error:
        return ["image: must be a jpeg, png or webp"]
    sides, total = (image.width, image.height), image.width * image.height
    if is_upscale:
        fits = min(sides) >= 32 and max(sides) <= 1536 and 1024 <= total <= MEGAPIXEL
    else:
        fits = min(sides) >= 64 and 4096 <= total <= 9 * MEGAPIXEL and max(sides) <= 2.5 * min(sides)
    return [] if fits else [f"image: {sides} is not a size it takes"]


def opened(data: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "")


def fields(request: Request) -> dict[str, bytes] | None:
    """The parts of a multipart/form-data body by their names (RFC 7578), or None if it is none."""
    boundary = re.fullmatch(r'multipart/form-data; boundary="?([^"]{1,70})"?', request.headers.get("content-type", ""))
    if boundary is None:
        return None
    delimiter = b"\r\n--" + boundary[1].encode()
    before, *parts, last = (b"\r\n" + request.body).split(delimiter)
    if before or last not in (b"--", b"--\r\n"):
        return None
    found: dict[str, bytes] = {}
    for part in parts:
        head, separator, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'\r\ncontent-disposition: form-data; name="([a-z_]+)"', head, re.IGNORECASE)
        if not separator or name is None or name[1].decode() in found:
            return None
        found[name[1].decode()] = content
    return found
