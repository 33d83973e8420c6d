"""Stability AI over gRPC, through the vendor's own SDK: Stable Diffusion XL.

The SDK opens a channel itself, and there reads its size limit from the environment, waits for ever and hides whether a
request went out. So the channel is made here and given to it: a request is sent once the connection stands, and what
fails before is known to be free. Each image has its own, because the network forgets those of a frozen Lambda.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
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
_SDXL = Capabilities(aspect_ratios=tuple(SIZES), styles=tuple(_STYLES.split()), negative_prompt=True)
VARIANTS: Mapping[str, Capabilities] = {"stable-diffusion-xl-1024-v1-0": _SDXL}
MAX_BYTES = 64 << 20
_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 3.0
_SHARE_TO_ANSWER = 0.25
_OPERATOR_SECONDS = 300
_BUSY_SECONDS = 60
_OPTIONS = (("grpc.max_receive_message_length", MAX_BYTES), ("grpc.initial_reconnect_backoff_ms", 100))


@dataclass(frozen=True, slots=True)
class _Model:
    engine: str
    key: Callable[[], str]
    url: str
    pause: Callable[[float], None]

    def __call__(self, request: ImageRequest, /) -> ModelOutput:
        deadline = time.monotonic() + request.seconds
        import grpc
        from stability_sdk.client import StabilityInference, generation_grpc

        secret = self._secret()
        api = StabilityInference(host=self.url, key=secret, engine=self.engine, wait_for_ready=False)
        with self._channel(secret) as channel:
            try:
                grpc.channel_ready_future(channel).result(min(_CONNECT_SECONDS, deadline - time.monotonic()))
            except grpc.FutureTimeoutError:
                raise ModelFailed("The image model cannot be reached.") from None
            api.stub = generation_grpc.GenerationServiceStub(channel)
            for attempt in range(_ATTEMPTS):
                api.grpc_args["timeout"] = deadline - time.monotonic()
                try:
                    return _picture(self.engine, api.generate(**_asked(request)))
                except grpc.RpcError as error:
                    wish = _retry_after(error)
                    failure, again = _failure(error, wish)
                delay = (wish or 0) + random.random() * _FIRST_PAUSE_SECONDS * 2**attempt  # noqa: S311 (jitter)
                too_late = deadline - time.monotonic() - delay < request.seconds * _SHARE_TO_ANSWER
                if not again or too_late or attempt == _ATTEMPTS - 1:
                    break
                self.pause(delay)
        raise failure

    def _secret(self) -> str:
        if not self.url.endswith("443"):
            return ""
        secret = self.key().strip()
        if not (secret and secret.isascii() and secret.isprintable()):
            detail = "This deployment has no usable key for the image model."
            raise ModelFailed(detail, retry_after=_OPERATOR_SECONDS)
        return secret

    def _channel(self, secret: str) -> Any:
        import grpc

        if not secret:
            return grpc.insecure_channel(self.url, _OPTIONS)
        token = grpc.access_token_call_credentials(secret)
        credentials = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(), token)
        return grpc.secure_channel(self.url, credentials, _OPTIONS)


def connect(
    variant: str, *, key: Callable[[], str], url: str, pause: Callable[[float], None] = time.sleep
) -> ImageModel:
    """The engine of that id at `url`, which is grpc.stability.ai:443, or a test's.

    By the SDK's rule TLS and the key, asked before every request, are used if the port ends in 443.
    """
    if not url.endswith("443") and url.rpartition(":")[0] not in ("127.0.0.1", "localhost"):
        raise ValueError("an image model must be reached by TLS, at a port that ends in 443")
    return _Model(variant, key, url, pause)


def _asked(request: ImageRequest) -> dict[str, Any]:
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
        "seed": [request.seed],  # in place of a bare 0 the SDK would send a random one
        "style_preset": request.style,
    }


def _picture(engine: str, answers: Iterable[Any]) -> ModelOutput:
    """The first one. An answer without artifacts says that the vendor is still at it. Raises Blocked, ModelFailed."""
    from stability_sdk.client import generation

    for answer in answers:
        for artifact in answer.artifacts:
            if artifact.finish_reason == generation.FILTER:
                raise Blocked(charged=True)
            if artifact.finish_reason == generation.ERROR:
                raise ModelFailed("The image model failed on its side.")
            if artifact.type == generation.ARTIFACT_IMAGE and artifact.binary:
                return ModelOutput(data=artifact.binary, provider="stability", model=engine, seed=artifact.seed)
    raise ModelFailed("The image model answered without a picture.", charged=True)


def _failure(error: Any, wish: int | None) -> tuple[ImagetrailError, bool]:
    """What a status means, and whether the same request may be sent again, as the vendor cannot have charged for it.

    UNAVAILABLE and UNKNOWN may be said by anything on the way. INTERNAL is the vendor's if its headers come with it,
    and gRPC's own if there are none.
    """
    details = (error.details() or "").lower()
    match error.code().name:
        case "UNAUTHENTICATED" | "PERMISSION_DENIED":
            detail = "The image model refuses this deployment's key."
            return ModelFailed(detail, retry_after=_OPERATOR_SECONDS), False
        case "INVALID_ARGUMENT" if "invalid prompts" in details:
            return Blocked(), False
        case "INVALID_ARGUMENT" | "NOT_FOUND" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" | "UNIMPLEMENTED":
            detail = "The image model takes the request for invalid."
            return ModelFailed(detail, retry_after=_OPERATOR_SECONDS), False
        case "RESOURCE_EXHAUSTED" if "larger than max" in details:
            return ModelFailed("The image model answered with more than 64 MiB.", charged=True), False
        case "RESOURCE_EXHAUSTED" if "balance" in details:
            detail = "This deployment has no credits left with the image model."
            return ModelFailed(detail, retry_after=_OPERATOR_SECONDS), False
        case "RESOURCE_EXHAUSTED":
            return ModelFailed("The image model is busy.", retry_after=wish or _BUSY_SECONDS), True
        case "INTERNAL" if error.trailing_metadata():
            return ModelFailed("The image model failed on its side.", retry_after=wish or 5), True
    return Unanswered(), False


def _retry_after(error: Any) -> int | None:
    """The seconds that the vendor asks for."""
    value = dict(error.trailing_metadata() or ()).get("retry-after", "")
    return int(value) if value.isdecimal() and len(value) < 7 else None
