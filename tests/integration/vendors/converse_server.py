"""Amazon Bedrock on loopback: Converse of a model that sees, with a tool that it has to call."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson
import pyvips

from tests.integration.vendors.bedrock_server import refused
from tests.integration.vendors.loopback import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
KEY = "AKIAVISION"
SEEN = ["wooden tables", "pendant lights", "brick walls"]
_MAX_IMAGES, _MAX_IMAGE_BYTES, _MAX_SIDE = 20, 3_750_000, 8000
_LOADERS = {"png": "pngload_buffer", "jpeg": "jpegload_buffer", "webp": "webpload_buffer", "gif": "gifload_buffer"}
_EXCEPTIONS = (
    "AccessDeniedException",
    "ModelErrorException",
    "ModelTimeoutException",
    "ResourceNotFoundException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "ValidationException",
)


def answer(request: Request, step: str) -> Answer:
    """What Bedrock says. A step may be an exception's name, a stop reason, or `said: ` and the tool's input as JSON."""
    if f"Credential={KEY}/" not in request.headers.get("authorization", ""):
        return refused("UnrecognizedClientException")
    path = re.fullmatch(r"/model/([^/]+)/converse", request.path)
    if path is None or unquote(path[1]) != MODEL:
        return refused("ResourceNotFoundException")
    asked = orjson.loads(request.body)
    if wrong := problem(asked):
        return refused("ValidationException", wrong)
    if step in _EXCEPTIONS:
        return refused(step)
    if step in ("guardrail_intervened", "content_filtered", "refusal"):
        return spoken([{"text": "vendor-says no"}], step)
    if step == "garbage":
        return Answer(200, {"content-type": "application/json"}, b"vendor-says garbage", charged=True)
    if step == "talk":
        return spoken([{"text": "I see wooden tables."}], "end_turn")
    given = orjson.loads(step.removeprefix("said: ")) if step.startswith("said: ") else {"elements": SEEN}
    tool = asked["toolConfig"]["toolChoice"]["tool"]["name"]
    return spoken([{"toolUse": {"toolUseId": "tooluse_1", "name": tool, "input": given}}], "tool_use")


def spoken(content: list[Mapping[str, Any]], reason: str) -> Answer:
    document = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason,
        "usage": {"inputTokens": 1800, "outputTokens": 60, "totalTokens": 1860},
        "metrics": {"latencyMs": 2400},
    }
    return Answer(200, {"content-type": "application/json"}, orjson.dumps(document), charged=True)


def problem(asked: dict[str, Any]) -> str:
    """What Bedrock's model of the operation, and its limits on images, find wrong."""
    if unknown := asked.keys() - {"messages", "inferenceConfig", "toolConfig", "system"}:
        return f"extraneous key {unknown} is not permitted"
    (message,) = asked["messages"]
    images = [part["image"] for part in message["content"] if "image" in part]
    (tool,) = asked["toolConfig"]["tools"]
    wrong = [
        message["role"] != "user",
        not 0 < len(images) <= _MAX_IMAGES,
        not any(part.get("text") for part in message["content"]),
        asked["toolConfig"]["toolChoice"] != {"tool": {"name": tool["toolSpec"]["name"]}},
        tool["toolSpec"]["inputSchema"]["json"]["type"] != "object",
        not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["toolSpec"]["name"]),
        *(not _is_picture(image) for image in images),
    ]
    return "the request is not valid" if any(wrong) else ""


def _is_picture(image: dict[str, Any]) -> bool:
    data = base64.b64decode(image["source"]["bytes"], validate=True)
    picture = pyvips.Image.new_from_buffer(data, "")
    fits = len(data) <= _MAX_IMAGE_BYTES and max(picture.width, picture.height) <= _MAX_SIDE
    return fits and picture.get("vips-loader") == _LOADERS[image["format"]]
