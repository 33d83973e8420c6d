"""Google's generateContent for image models on loopback, as its API reference describes it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

import orjson
import pyvips

from tests.integration.model_contract import KEY
from tests.integration.vendors.loopback import Answer, Request

if TYPE_CHECKING:
    from tests.integration.model_contract import Step

MODEL = "gemini-3-pro-image"
RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
SIDES = {"1K": 1024, "2K": 2048, "4K": 4096}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_KNOWN: dict[str, Any] = {
    "contents": {"role": str, "parts": {"text": str, "inlineData": {"mimeType": str, "data": str}}},
    "generationConfig": {
        "responseModalities": str,
        "seed": int,
        "imageConfig": {"aspectRatio": str, "imageSize": str},
    },
}
_BUSY = {"busy": None, "busy for 1 s": "1s", "busy for 1 h": "3600.0s"}


def answer(request: Request, step: Step) -> Answer:
    """What the vendor says to a request, unless the step has other plans."""
    key = request.headers.get("x-goog-api-key")
    if key is None:
        return refused(403, "Method doesn't allow unregistered callers")
    if key != KEY:
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        return refused(400, "vendor-says API key not valid. Please pass a valid API key.", reason)
    if request.path != f"/v1beta/models/{MODEL}:generateContent":
        return refused(404, "models/x is not found for API version v1beta")
    if request.headers.get("content-type") != "application/json":
        return refused(400, "Invalid content type")
    asked: dict[str, Any] = orjson.loads(request.body)
    if wrong := problems(asked):
        return refused(400, wrong)
    match step:
        case "busy" | "busy for 1 s" | "busy for 1 h":
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": _BUSY[step]}
            violation: dict[str, Any] = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}
            return refused(429, "vendor-says busy", *([violation, retry] if _BUSY[step] else []))
        case "no credits":
            return refused(429, "vendor-says your prepayment credits are depleted")
        case "error":
            return refused(503, "vendor-says the model is overloaded")
        case "gateway":
            return Answer(502, {"content-type": "text/html"}, b"<html>vendor-says bad gateway</html>", charged=True)
        case "blocked":
            return said({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, prompt=8)
        case "filtered":
            candidate = {"finishReason": "IMAGE_SAFETY", "finishMessage": "vendor-says unable to show", "index": 0}
            return said({"candidates": [candidate]}, prompt=18, thoughts=173)
    return drawn(asked["generationConfig"], step)


def refused(status: int, message: str, *details: dict[str, Any]) -> Answer:
    error = {"code": status, "message": message, "status": _STATUSES[status]} | (
        {"details": details} if details else {}
    )
    return Answer(status, {"content-type": "application/json; charset=UTF-8"}, orjson.dumps({"error": error}))


def said(document: dict[str, Any], prompt: int, output: int = 0, thoughts: int = 0) -> Answer:
    """A document with its usage: as everywhere in this API a zero is left out."""
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": output, "thoughtsTokenCount": thoughts}
    usage = {name: count for name, count in counts.items() if count} | {"totalTokenCount": sum(counts.values())}
    whole = document | {"usageMetadata": usage, "modelVersion": MODEL, "responseId": "bGlnaHRob3VzZQ"}
    return Answer(200, {"content-type": "application/json; charset=UTF-8"}, orjson.dumps(whole), charged=output > 0)


def drawn(config: dict[str, Any], step: Step) -> Answer:
    across, down = (int(part) for part in config["imageConfig"].get("aspectRatio", "1:1").split(":"))
    side = SIDES[config["imageConfig"].get("imageSize", "1K")]
    width, height = round(side * (across / down) ** 0.5 / 32) * 32, round(side * (down / across) ** 0.5 / 32) * 32
    seed = config.get("seed", 7)
    colour = [seed % 256, seed // 256 % 256, 200]
    picture = pyvips.Image.black(width, height, bands=3).linear(1, colour).cast("uchar").write_to_buffer(".jpg")
    draft = pyvips.Image.black(64, 64, bands=3).write_to_buffer(".png")
    parts = [
        {"text": "I thought about it.", "thought": True},
        {"inlineData": {"mimeType": "image/png", "data": encoded(draft)}, "thought": True},
        {
            "inlineData": {
                "mimeType": "image/jpeg",
                "data": encoded(b"vendor-says garbage" if step == "garbage" else picture),
            },
            "thoughtSignature": "Y2hlY2tlZA==",
        },
    ]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return said({"candidates": [candidate]}, prompt=24, output=1120, thoughts=482)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def problems(asked: dict[str, Any]) -> str:
    """What the vendor finds wrong, or an empty text."""
    if unknown := misfits(asked, _KNOWN, ""):
        return f'Invalid JSON payload received. Unknown name or type at "{unknown}"'
    parts = [part for content in asked.get("contents", []) for part in content.get("parts", [])]
    images = [part["inlineData"] for part in parts if "inlineData" in part]
    config = asked.get("generationConfig", {})
    image = config.get("imageConfig", {})
    checks = {
        "contents is not specified": bool(parts) and all(len(part) == 1 for part in parts),
        "text is empty": any(part.get("text", "").strip() for part in parts),
        "at most 14 images": len(images) <= 14,
        "Unable to process input image": all(is_image(image) for image in images),
        "responseModalities": set(config.get("responseModalities", ["IMAGE"])) <= {"TEXT", "IMAGE"},
        "seed": -(2**31) <= config.get("seed", 0) < 2**31,
        "aspectRatio": image.get("aspectRatio", "1:1") in RATIOS,
        "imageSize": image.get("imageSize", "1K") in SIDES,
    }
    return ", ".join(name for name, holds in checks.items() if not holds)


def misfits(value: Any, known: Any, at: str) -> str:
    """Where a document leaves the schema first; a list is checked by its entries."""
    if isinstance(value, list):
        return next((wrong for entry in value if (wrong := misfits(entry, known, at))), "")
    if not isinstance(known, dict):
        return "" if isinstance(value, known) else at
    if not isinstance(value, dict):
        return at
    return next(
        (w for name, part in value.items() if (w := misfits(part, known[name], name) if name in known else name)), ""
    )


def is_image(inline: dict[str, str]) -> bool:
    try:
        data = base64.b64decode(inline["data"], validate=True)
        loader = pyvips.Image.new_from_buffer(data, "").get("vips-loader")
    except (binascii.Error, pyvips.Error):
        return False
    return re.sub("load_buffer$", "", loader) == inline["mimeType"].removeprefix("image/")
