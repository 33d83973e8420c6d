"""Amazon Bedrock on loopback, as boto3 speaks to it: InvokeModel of Stability AI's image models, and their list."""

from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson
import pyvips

from tests.integration.model_contract import KEY
from tests.integration.vendors.loopback import Answer, Request
from tests.loopback import listening

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

END = "2027-02-03T00:00:00Z"
RANDOM_SEED = 2130420379
_RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
_FIELDS = {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format"}
MODELS = {
    "stability.stable-image-core-v1:1": _FIELDS,
    "stability.sd3-5-large-v1:0": _FIELDS | {"mode", "image", "strength"},
    "stability.stable-image-ultra-v1:1": _FIELDS | {"image", "strength"},
}
_STATUS = {
    "AccessDeniedException": 403,
    "InternalServerException": 500,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
_REFUSALS = {
    "no credits": "AccessDeniedException",
    "busy": "ThrottlingException",
    "busy for 1 s": "ThrottlingException",
    "busy for 1 h": "ThrottlingException",
    "error": "ServiceUnavailableException",
}
_REASONS = {"blocked": "Filter reason: prompt", "filtered": "Filter reason: output image"}


def answer(request: Request, step: str) -> Answer:
    """What Bedrock says to a request. A step may also be the name of an exception, or a finish reason."""
    if f"Credential={KEY}/" not in request.headers.get("authorization", ""):
        return refused("UnrecognizedClientException")
    model = re.fullmatch(r"/model/([^/]+)/invoke", request.path)
    if model is None or unquote(model[1]) not in MODELS:
        return refused("ResourceNotFoundException")
    asked = orjson.loads(request.body)
    if wrong := problem(asked, MODELS[unquote(model[1])]):
        return refused("ValidationException", wrong)
    if step == "content filter":
        return refused("ValidationException", "This request has been blocked by our content filters.")
    if step == "gateway":
        return Answer(502, {"content-type": "text/html"}, b"<html>vendor-says bad gateway</html>", charged=True)
    if name := _REFUSALS.get(step, step if step in _STATUS else None):
        return refused(name, wait={"busy for 1 s": "1", "busy for 1 h": "3600"}.get(step))
    reason = _REASONS.get(step, step if step.startswith(("Filter", "Inference")) else None)
    if reason:
        return spoken({"finish_reasons": [reason]}, charged=reason == "Filter reason: output image")
    seed = asked.get("seed", 0) or RANDOM_SEED
    picture = b"vendor-says garbage" if step == "garbage" else drawn(asked, seed)
    image = base64.b64encode(picture).decode()
    return spoken({"seeds": [seed], "finish_reasons": [None], "images": [image]}, charged=True)


def refused(name: str, message: str = "vendor-says no", wait: str | None = None) -> Answer:
    headers = {"content-type": "application/json", "x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/"}
    return Answer(_STATUS[name], headers | ({"retry-after": wait} if wait else {}), orjson.dumps({"message": message}))


def spoken(document: dict[str, Any], *, charged: bool) -> Answer:
    return Answer(200, {"content-type": "application/json"}, orjson.dumps(document), charged)


def drawn(asked: dict[str, Any], seed: int) -> bytes:
    """A picture of the shape that was asked for, or of the image that was sent along."""
    if "image" in asked:
        size = pyvips.Image.new_from_buffer(base64.b64decode(asked["image"]), "")
        width, height = size.width, size.height
    else:
        across, down = (int(part) for part in asked.get("aspect_ratio", "1:1").split(":"))
        width, height = (
            round((2**20 * part / other) ** 0.5 / 64) * 64 for part, other in ((across, down), (down, across))
        )
    picture = pyvips.Image.black(width, height, bands=3).linear(1, [seed % 256, 120, 200]).cast("uchar")
    data: bytes = picture.write_to_buffer(f".{asked.get('output_format', 'png')}")
    return data


def problem(asked: dict[str, Any], fields: set[str]) -> str:
    """What the model finds wrong, as far as its documentation says."""
    if unknown := asked.keys() - fields:
        return f"extraneous key {unknown} is not permitted"
    image = asked.get("mode", "text-to-image" if "mode" in fields else "image-to-image") == "image-to-image"
    checks = {
        "prompt": 0 < len(asked.get("prompt", "")) <= 10_000,
        "aspect_ratio": asked.get("aspect_ratio", "1:1") in _RATIOS and not {"aspect_ratio", "image"} <= asked.keys(),
        "seed": 0 <= asked.get("seed", 0) <= 4294967294,
        "output_format": asked.get("output_format", "png") in ("png", "jpeg"),
        "image": "image" not in asked or (image and 0 < asked.get("strength", 0) < 1),
    }
    return ", ".join(f"{name} is not valid" for name, valid in checks.items() if not valid)


@contextmanager
def listing(models: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The address of Bedrock's own list of these models, each an id and its status, until the block ends."""
    summaries = [
        {"modelId": name, "modelLifecycle": {"status": status} | ({"endOfLifeTime": END} if status == "LEGACY" else {})}
        for name, status in models
    ]

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            known = self.path.partition("?")[0] == "/foundation-models"
            body = orjson.dumps({"modelSummaries": summaries} if known else {"message": "no"})
            self.send_response(200 if known else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as url:
        yield url
