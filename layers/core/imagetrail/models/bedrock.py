"""Stability AI's models on Amazon Bedrock, through boto3, which Lambda brings along."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import Capabilities, ModelOutput, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.errors import ImagetrailError
    from imagetrail.models import ImageModel, ImageRequest, Reference
    from imagetrail.models.wire import Reply

_RATIOS = ("1:1", "16:9", "9:16", "3:2", "2:3", "4:5", "5:4", "21:9", "9:21")
_STABLE_IMAGE = Capabilities(aspect_ratios=_RATIOS, negative_prompt=True, max_prompt=10_000)
VARIANTS: Mapping[str, Capabilities] = {
    "core": _STABLE_IMAGE,
    "sd3.5-large": replace(_STABLE_IMAGE, references=1),
    "ultra": replace(_STABLE_IMAGE, references=1),
}
MODEL_IDS = {
    "core": "stability.stable-image-core-v1:1",
    "sd3.5-large": "stability.sd3-5-large-v1:0",
    "ultra": "stability.stable-image-ultra-v1:1",
}
STRENGTH = 0.7  # with a reference image: 0 gives it back as it is, 1 does not look at it
_FIRST_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 5.0
_SHARE_TO_ANSWER = 0.25
_NOT_BEGUN = frozenset({"ThrottlingException", "ServiceUnavailableException", "ModelNotReadyException"})


@dataclass(frozen=True, slots=True)
class _Model:
    variant: str
    client: Callable[[float], Any]
    pause: Callable[[float], None]

    def __call__(self, request: ImageRequest, /) -> ModelOutput:
        """Aside, because botocore bounds each wait, but neither the sum of them nor finding the host's address."""
        outcome: Future[ModelOutput] = Future()

        def run() -> None:
            try:
                outcome.set_result(self._ask(request))
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            return outcome.result(request.seconds)
        except TimeoutError:
            raise Unanswered from None

    def _ask(self, request: ImageRequest) -> ModelOutput:
        from botocore import exceptions as aws

        from imagetrail.models import wire

        deadline = time.monotonic() + request.seconds
        body = json.dumps(_asked(self.variant, request))
        for attempt in range(wire.ATTEMPTS):
            wish = 0.0
            try:
                with (
                    closing(self.client(deadline - time.monotonic())) as bedrock,
                    closing(bedrock.invoke_model(modelId=MODEL_IDS[self.variant], body=body)["body"]) as answer,
                ):
                    return _output(self.variant, answer.read(wire.MAX_BYTES + 1))
            except aws.ClientError as error:
                reply = _reply(error.response)
                failure, again = _failure(reply), error.response["Error"]["Code"] in _NOT_BEGUN
                wish = wire.retry_after(reply) or 0.0
            except (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError):
                failure, again = ModelFailed("The image model cannot be reached."), True
            except aws.BotoCoreError as error:
                failure, again = _unanswered(error), False
            delay = wish + random.random() * _FIRST_PAUSE_SECONDS * 2**attempt  # noqa: S311 (jitter)
            too_late = deadline - time.monotonic() - delay < request.seconds * _SHARE_TO_ANSWER
            if not again or too_late or attempt == wire.ATTEMPTS - 1:
                break
            self.pause(delay)
        raise failure


def connect(variant: str, *, region: str, url: str | None, pause: Callable[[float], None] = time.sleep) -> ImageModel:
    """The model in a region, with the credentials of the environment. `url` is None, or a test's."""
    import boto3
    from botocore.config import Config

    session, lock = boto3.session.Session(), threading.Lock()

    def client(seconds: float) -> Any:
        left = max(seconds, 0.001)
        timeouts = {"connect_timeout": min(_CONNECT_SECONDS, left), "read_timeout": left}
        config = Config(**timeouts, retries={"total_max_attempts": 1})
        with lock:  # boto3's sessions are not for several threads
            return session.client("bedrock-runtime", region_name=region, endpoint_url=url, config=config)

    return _Model(variant, client, pause)


def _asked(variant: str, request: ImageRequest) -> dict[str, Any]:
    body = {"prompt": request.prompt, "seed": request.seed, "output_format": "png"}
    if request.negative_prompt:
        body["negative_prompt"] = request.negative_prompt
    if not request.references:
        return body | {"aspect_ratio": request.aspect_ratio}
    mode = {"mode": "image-to-image"} if variant == "sd3.5-large" else {}
    image = base64.b64encode(_shaped(request.references[0], request)).decode()
    return body | mode | {"image": image, "strength": STRENGTH}


def _shaped(reference: Reference, request: ImageRequest) -> bytes:
    """The reference in the shape that was asked for: the result takes its shape from it."""
    from imagetrail.pixels import UndecodableImage, encode

    try:
        return encode(reference.data, request.width, request.height, "png").data
    except UndecodableImage:
        raise ModelFailed("The reference image cannot be read.") from None


def _output(variant: str, content: bytes) -> ModelOutput:
    """The picture of an answer. Raises Blocked and ModelFailed."""
    from imagetrail.models.wire import MAX_BYTES

    if len(content) > MAX_BYTES:
        raise ModelFailed("The image model answered with more than 64 MiB.", charged=True)
    try:
        answer = json.loads(content)
        reason = (answer.get("finish_reasons") or [None])[0]
        if reason is None:
            data, seed = base64.b64decode(answer["images"][0], validate=True), (answer.get("seeds") or [None])[0]
            used = None if seed is None else int(seed)
            return ModelOutput(data=data, provider="bedrock", model=MODEL_IDS[variant], seed=used)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise ModelFailed("The image model answered without a picture.", charged=True) from None
    if reason == "Inference error":
        raise ModelFailed("The image model failed on its side.")
    raise Blocked(charged=reason == "Filter reason: output image")


def _reply(response: Mapping[str, Any]) -> Reply:
    """botocore's reading of a refusal. Bedrock's own have a code; one without is of something before it."""
    from imagetrail.models.wire import Reply

    status, headers = response["ResponseMetadata"]["HTTPStatusCode"], response["ResponseMetadata"]["HTTPHeaders"]
    said = {} if response["Error"]["Code"] == str(status) else response["Error"]
    return Reply(status, headers, json.dumps(said).encode())


def _failure(reply: Reply) -> ImagetrailError:
    from imagetrail.models import wire

    if reply.status == 400 and "content filter" in reply.document().get("Message", "").lower():
        return Blocked()
    if reply.status == 408:  # the model's own time was up
        return Unanswered()
    return wire.failure(reply._replace(status=500) if reply.status == 424 else reply)  # the model's own failure


def _unanswered(error: Any) -> ModelFailed:
    """Sent or not? Before it are missing credentials, and those that http.client does not take for a header."""
    from botocore import exceptions as aws

    on_the_wire = isinstance(error, aws.HTTPClientError | aws.IncompleteReadError | aws.SSLError)
    if on_the_wire and not isinstance(error.kwargs.get("error"), ValueError):
        return Unanswered()
    return ModelFailed("This deployment has no usable credentials for the image model.", retry_after=300)
