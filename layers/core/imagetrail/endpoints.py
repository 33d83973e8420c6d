"""The HTTP side around a handler: authenticate, read, run, answer; every error becomes a problem."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from imagetrail import openapi_document, telemetry
from imagetrail.cross_origin import require_allowed_origin
from imagetrail.errors import ImagetrailError
from imagetrail.http import Operation, problem
from imagetrail.wiring import deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagetrail.http import Request, Response
    from imagetrail.queries import Parameter


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
            answer = self._respond(event, context).as_event()
        except ImagetrailError as error:
            answer, code = problem(error, request_id).as_event(), error.code
        except Exception as error:
            telemetry.log_defect(error, request_id)
            hidden = ImagetrailError("The defect has been logged. Please quote the request_id when you report it.")
            answer, code = problem(hidden, request_id).as_event(), hidden.code
        telemetry.log_call(
            route=event.get("routeKey", "$default"),
            status=answer["statusCode"],
            code=code,
            milliseconds=(time.perf_counter() - started) * 1000,
            request_id=request_id,
        )
        return answer

    def _respond(self, event: Mapping[str, Any], context: Any) -> Response:
        stage, settings = event.get("stageVariables") or {}, deployment().settings
        public_url = settings.public_url or stage.get("PublicUrl", "")
        if self.operation.changes_state(event["requestContext"]["http"]["method"]):
            require_allowed_origin(event, public_url, settings.allowed_origins)
        openapi_document.require_route(event)
        authorization = None if self.operation.public else event.get("headers", {}).get("authorization")
        caller = deployment().authenticate(authorization, stage.get("PagesClientId", ""))
        return self.function(self.operation.read(event, caller, public_url, context.get_remaining_time_in_millis()))


def endpoint(
    *,
    query: tuple[Parameter, ...] | None = (),
    body: type[Any] | None = None,
    answers: Mapping[int, str],
    problems: tuple[int, ...] = (),
    public: bool = False,
    submits: bool = False,
    conditional: bool = False,
) -> Callable[[Callable[[Request], Response]], Endpointed]:
    """Makes a Lambda handler of a function from Request to Response."""
    operation = Operation(
        query=query,
        body=body,
        answers=answers,
        problems=problems,
        public=public,
        submits=submits,
        conditional=conditional,
    )
    return lambda function: Endpointed(function, operation)
