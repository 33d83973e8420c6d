"""Stability AI's models on Amazon Bedrock, through boto3, which Lambda brings along."""

from __future__ import annotations

import base64
import json
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from imagetrail.errors import Blocked, ModelFailed
from imagetrail.models import Capabilities, ModelOutput, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.errors import ImagetrailError
    from imagetrail.models import ImageModel, ImageRequest, Reference

_RATIOS = ("1:1", "16:9", "9:16", "3:2", "2:3", "4:5", "5:4", "21:9", "9:21")
VARIANTS: Mapping[str, Capabilities] = {
    "core": Capabilities(aspect_ratios=_RATIOS, negative_prompt=True),
    "sd3.5-large": Capabilities(aspect_ratios=_RATIOS, negative_prompt=True, references=1),
    "ultra": Capabilities(aspect_ratios=_RATIOS, negative_prompt=True, references=1),
}
MODEL_IDS = {
    "core": "stability.stable-image-core-v1:1",
    "sd3.5-large": "stability.sd3-5-large-v1:0",
    "ultra": "stability.stable-image-ultra-v1:1",
}
MAX_BYTES = 64 * 1024 * 1024
CONNECT_SECONDS = 5.0
STRENGTH = 0.7  # of the reference image: 0 keeps it as it is, 1 does not look at it
_PAUSES = (0.3, 1.0)
_NOT_DONE = frozenset({"ThrottlingException", "ServiceUnavailableException", "ModelNotReadyException"})
_UNUSABLE = "This deployment may not use the image model."
_DETAILS = {
    400: "The image model does not accept this request.",
    403: _UNUSABLE,
    404: "The image model is no longer offered.",
    429: "The image model has too many requests.",
}


def connect(variant: str, *, region: str, url: str | None) -> ImageModel:
    """The model `variant` in a region, with the credentials of the environment; `url` stands in for AWS's own."""
    import boto3

    session, lock = boto3.session.Session(), threading.Lock()

    def client(seconds: float) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=min(CONNECT_SECONDS, seconds), read_timeout=seconds, retries={"total_max_attempts": 1}
        )
        with lock:  # a session is not for several threads
            return session.client("bedrock-runtime", region_name=region, endpoint_url=url, config=config)

    return partial(_generate, variant, client)


def _generate(variant: str, client: Callable[[float], Any], request: ImageRequest, /) -> ModelOutput:
    """Waits no longer than it may, whatever hangs: botocore bounds neither the name's resolution nor a whole answer."""
    outcome: Future[ModelOutput] = Future()

    def run() -> None:
        try:
            outcome.set_result(_ask(variant, client, request))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return outcome.result(request.seconds)
    except TimeoutError as error:
        raise Unanswered from error


def _ask(variant: str, client: Callable[[float], Any], request: ImageRequest) -> ModelOutput:
    from botocore import exceptions as aws

    deadline = time.monotonic() + request.seconds
    body = json.dumps(_body(variant, request))
    for pause in (*_PAUSES, None):
        try:
            with closing(client(deadline - time.monotonic())) as bedrock:
                answer = bedrock.invoke_model(modelId=MODEL_IDS[variant], body=body)["body"]
                return _output(variant, answer.read(MAX_BYTES + 1))
        except aws.ClientError as error:
            failure, again = _failure(error.response), error.response["Error"]["Code"] in _NOT_DONE
            cause: Exception = error
        except (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError) as error:
            failure, again, cause = ModelFailed("The image model cannot be reached."), True, error
        except (aws.HTTPClientError, aws.IncompleteReadError, aws.SSLError) as error:
            failure, again, cause = Unanswered(), False, error
        except aws.BotoCoreError as error:  # credentials, mostly
            failure, again, cause = ModelFailed(_UNUSABLE), False, error
        if not again or pause is None or time.monotonic() + pause >= deadline:
            raise failure from cause
        time.sleep(pause)
    raise AssertionError("the last attempt ends above")


def _body(variant: str, request: ImageRequest) -> dict[str, Any]:
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
    except UndecodableImage as error:
        raise ModelFailed("The reference image cannot be read.") from error


def _output(variant: str, content: bytes) -> ModelOutput:
    if len(content) > MAX_BYTES:
        raise ModelFailed("The image model answered with more bytes than are read.", charged=True)
    try:
        answer = json.loads(content)
        reason = (answer.get("finish_reasons") or [None])[0]
        if reason is None:
            data, seed = base64.b64decode(answer["images"][0], validate=True), int(answer["seeds"][0])
            return ModelOutput(data=data, provider="bedrock", model=MODEL_IDS[variant], seed=seed)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelFailed("The image model answered with something that is no picture.", charged=True) from error
    match reason:
        case "Filter reason: output image":
            raise Blocked("The image model withheld its result.", charged=True)
        case "Filter reason: input image":
            raise Blocked("The image model refused the reference image.")
        case "Inference error":
            raise ModelFailed("The image model failed at this request.")
    raise Blocked


def _failure(response: Mapping[str, Any]) -> ImagetrailError:
    status, error = response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]
    if status == 400 and "content filter" in error.get("Message", "").lower():
        return Blocked()
    if status == 408 or (status >= 500 and error["Code"] == str(status)):
        return Unanswered()  # the model did not end in time, or something before Bedrock answered in its place
    return ModelFailed(_DETAILS.get(status, "The image model is not available."))
