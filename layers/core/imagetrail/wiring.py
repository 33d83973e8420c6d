"""Who knows everyone: builds each part lazily, once per process, and puts the HTTP side around a handler."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from imagetrail import telemetry
from imagetrail.aws import Endpoint
from imagetrail.callers import ANONYMOUS, Caller
from imagetrail.dynamo import Dynamo
from imagetrail.errors import ImagetrailError
from imagetrail.http import Operation, problem
from imagetrail.settings import Settings
from imagetrail.sigv4 import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.datasets import Datasets
    from imagetrail.generation import Generation
    from imagetrail.history import History
    from imagetrail.http import Request, Response
    from imagetrail.ledger import Ledger
    from imagetrail.queries import Parameter
    from imagetrail.s3 import Bucket
    from imagetrail.settling import Sweep
    from imagetrail.tokens import Verifier


class Endpointed:
    """A Lambda handler that knows its operation, for the OpenAPI document to read."""

    def __init__(self, function: Callable[[Request], Response], operation: Operation) -> None:
        self.function, self.operation = function, operation
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Authenticates, reads, runs, answers; every error becomes a problem."""
        started = time.perf_counter()
        request_id = event["requestContext"]["requestId"]
        code = None
        try:
            operation = self.operation
            request = operation.read(
                event,
                authenticate(event.get("headers", {}).get("authorization")),
                settings().public_url,
                context.get_remaining_time_in_millis(),
            )
            response = self.function(request)
        except ImagetrailError as error:
            response, code = problem(error, request_id), error.code
        except Exception as error:
            telemetry.log_defect(error, request_id)
            hidden = ImagetrailError("The defect has been logged. Please quote the request_id when you report it.")
            response, code = problem(hidden, request_id), hidden.code
        telemetry.log_call(
            route=event.get("routeKey", "$default"),
            status=response.status,
            code=code,
            milliseconds=(time.perf_counter() - started) * 1000,
            request_id=request_id,
        )
        return response.as_event()


def endpoint(
    *,
    query: tuple[Parameter, ...] = (),
    body: type[Any] | None = None,
    answers: Mapping[int, str],
    problems: tuple[int, ...] = (),
) -> Callable[[Callable[[Request], Response]], Endpointed]:
    """Makes a Lambda handler of a function from Request to Response."""
    operation = Operation(query=query, body=body, answers=answers, problems=problems)
    return lambda function: Endpointed(function, operation)


def authenticate(authorization: str | None) -> Caller:
    """The caller behind an Authorization header, anonymous without one. Raises Unauthenticated and Unavailable."""
    return ANONYMOUS if authorization is None else verifier().caller(authorization)


@cache
def settings() -> Settings:
    """The deployment's settings."""
    return Settings.from_environment()


@cache
def credentials() -> Credentials:
    """The execution role's, which Lambda puts into the environment for the life of the process."""
    s = settings()
    return Credentials(s.access_key_id, s.secret_access_key, s.session_token)


@cache
def dynamo() -> Dynamo:
    """The tables."""
    return Dynamo(Endpoint("dynamodb", settings().region, credentials(), settings().endpoint_url))


@cache
def bucket() -> Bucket:
    """The pixels."""
    from imagetrail.s3 import Bucket

    return Bucket(settings().bucket, settings().region, credentials(), settings().endpoint_url)


@cache
def verifier() -> Verifier:
    """The judge of bearer tokens; with it cryptography is imported, only when a header came."""
    from imagetrail.tokens import KeySet, Verifier

    s = settings()
    keys = KeySet(s.auth_issuer, s.auth_jwks_url, allow_loopback_http=s.local_run)
    return Verifier(s.auth_issuer, s.auth_audience, keys, _auth_secret if s.auth_secret_name else None)


@cache
def _auth_secret() -> str:
    endpoint = Endpoint("secretsmanager", settings().region, credentials(), settings().endpoint_url)
    request = {"SecretId": settings().auth_secret_name}
    answer = endpoint.call("secretsmanager.GetSecretValue", request, "application/x-amz-json-1.1")
    return str(answer["SecretString"])


@cache
def history() -> History:
    """The history of images."""
    from imagetrail.history import History
    from imagetrail.ledger import Days

    s = settings()
    days = Days(dynamo(), s.ledger_table)
    return History(dynamo(), s.images_table, days, s.anonymous_history)


@cache
def datasets() -> Datasets:
    """The brand datasets."""
    from imagetrail.datasets import Datasets

    return Datasets(dynamo=dynamo(), table=settings().datasets_table)


@cache
def ledger() -> Ledger:
    """The start and the end of every generation."""
    from imagetrail.ledger import Ledger

    s = settings()
    return Ledger(dynamo(), s.images_table, s.ledger_table, s.user_daily_quota)


@cache
def generation() -> Generation:
    """The maker of images."""
    from imagetrail.generation import Generation

    s = settings()
    return Generation(
        ledger=ledger(),
        bucket=bucket(),
        datasets=datasets(),
        default_model=s.model,
        embed_prompt=s.embed_prompt,
    )


@cache
def sweep() -> Sweep:
    """The settler of what was left pending."""
    from imagetrail.settling import Sweep

    return Sweep(dynamo=dynamo(), images_table=settings().images_table, ledger=ledger(), bucket=bucket())
