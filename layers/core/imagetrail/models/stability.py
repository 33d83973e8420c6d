"""Stability AI over gRPC, through the vendor's own SDK: Stable Diffusion XL.

The SDK opens its channel itself, and there reads its size limit from the environment, waits for ever and hides whether
a request was sent. So the channel is made here and given to it: a request goes out once the connection stands, never
before, and what fails earlier is known to be free. A new one for each image, because a frozen function's is dead.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import Capabilities, ModelOutput, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from imagetrail.errors import ImagetrailError
    from imagetrail.models import ImageModel, ImageRequest

# The engine draws these sizes only. Each is within 4 % of its ratio; what is over is trimmed when the image is stored.
SIZES = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "4:3": (1152, 896),
    "3:4": (896, 1152),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "21:9": (1536, 640),
    "9:21": (640, 1536),
}
_STYLES = (
    "3d-model analog-film anime cinematic comic-book digital-art enhance fantasy-art isometric line-art low-poly "
    "modeling-compound neon-punk origami photographic pixel-art tile-texture"
)
VARIANTS: Mapping[str, Capabilities] = {
    "stable-diffusion-xl-1024-v1-0": Capabilities(
        aspect_ratios=tuple(SIZES), styles=tuple(_STYLES.split()), negative_prompt=True
    )
}
MAX_BYTES = 64 * 1024 * 1024
CONNECT_SECONDS = 5.0
_PAUSES = (0.3, 1.0)
_LOCKOUT_SECONDS = 60
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


def connect(variant: str, *, key: Callable[[], str], url: str) -> ImageModel:
    """The engine `variant` at `url`, a host:port. By the SDK's rule TLS and the key are used if it ends in 443.

    Raises ValueError for any other one that is not this machine: a key has no business on a plain connection.
    """
    if not url.endswith("443") and url.rpartition(":")[0] not in ("127.0.0.1", "localhost", "[::1]"):
        raise ValueError("the address of Stability AI must be host:443")
    return partial(_generate, variant, key, url)


def _generate(engine: str, key: Callable[[], str], url: str, request: ImageRequest, /) -> ModelOutput:
    import grpc
    from stability_sdk.client import StabilityInference, generation_grpc

    deadline = time.monotonic() + request.seconds
    secret = key() if url.endswith("443") else ""
    try:
        api = StabilityInference(host=url, key=secret, engine=engine, wait_for_ready=False)
    except ValueError as error:
        raise ModelFailed("The image model has no key in this deployment.") from error
    with _channel(url, secret) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=min(CONNECT_SECONDS, deadline - time.monotonic()))
        except grpc.FutureTimeoutError as error:
            raise ModelFailed("The image model cannot be reached.") from error
        api.stub = generation_grpc.GenerationServiceStub(channel)
        for pause in (*_PAUSES, None):
            api.grpc_args["timeout"] = deadline - time.monotonic()
            try:
                return _image(engine, api.generate(**_arguments(request)))
            except grpc.RpcError as error:
                busy = error.code() is grpc.StatusCode.UNAVAILABLE and _is_answer(error)
                if not busy or pause is None or time.monotonic() + pause >= deadline:
                    raise _failure(error) from error
            time.sleep(pause)
    raise AssertionError("the last attempt ends above")


def _channel(url: str, secret: str) -> Any:
    import grpc

    if not secret:
        return grpc.insecure_channel(url, _OPTIONS)
    token = grpc.access_token_call_credentials(secret)
    return grpc.secure_channel(url, grpc.composite_channel_credentials(grpc.ssl_channel_credentials(), token), _OPTIONS)


def _arguments(request: ImageRequest) -> dict[str, Any]:
    from stability_sdk.client import generation

    weighted = [(request.prompt, 1.0), (request.negative_prompt, -1.0)]
    width, height = SIZES[request.aspect_ratio]
    return {
        "prompt": [
            generation.Prompt(text=text, parameters=generation.PromptParameters(weight=weight))
            for text, weight in weighted
            if text
        ],
        "width": width,
        "height": height,
        "seed": [request.seed],  # a bare 0 would be replaced by the SDK
        "style_preset": request.style,
    }


def _image(engine: str, answers: Iterable[Any]) -> ModelOutput:
    """The first picture. An answer without artifacts says that the vendor is still at it."""
    from stability_sdk.client import generation

    for answer in answers:
        for artifact in answer.artifacts:
            if artifact.finish_reason == generation.FILTER:
                raise Blocked("The image model withheld its result.", charged=True)
            if artifact.finish_reason == generation.ERROR:
                raise ModelFailed("The image model failed at this request.")
            if artifact.type == generation.ARTIFACT_IMAGE:
                return ModelOutput(data=artifact.binary, provider="stability", model=engine, seed=artifact.seed)
    raise ModelFailed("The image model answered without a picture.", charged=True)


def _is_answer(error: Any) -> bool:
    """Whether the vendor said this itself: its statuses come with headers, what gRPC finds out here has none."""
    return bool(error.trailing_metadata())


def _failure(error: Any) -> ImagetrailError:
    details = (error.details() or "").lower()
    match error.code().name:
        case "UNAUTHENTICATED" | "PERMISSION_DENIED":
            return ModelFailed("The image model does not accept this deployment's key.")
        case "INVALID_ARGUMENT" if "invalid prompts" in details:
            return Blocked()
        case "INVALID_ARGUMENT" | "NOT_FOUND" | "UNIMPLEMENTED" | "OUT_OF_RANGE" | "FAILED_PRECONDITION":
            return ModelFailed("The image model does not accept this request.")
        case "RESOURCE_EXHAUSTED" if "larger than max" in details:
            return ModelFailed("The image model answered with more bytes than are read.", charged=True)
        case "RESOURCE_EXHAUSTED" if "balance" in details:
            return ModelFailed("The image model's credits are used up.", retry_after=_LOCKOUT_SECONDS)
        case "RESOURCE_EXHAUSTED":
            return ModelFailed("The image model has too many requests.", retry_after=_LOCKOUT_SECONDS)
        case "DEADLINE_EXCEEDED":
            return Unanswered()
    return ModelFailed("The image model is not available.") if _is_answer(error) else Unanswered()
