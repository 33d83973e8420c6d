"""Writes what functions log to the terminal too. Upstream: a hook for each invocation."""

from typing import Any

from ministack.services import lambda_svc

from local.emulator.context import Context
from local.logs import report

TARGETS = {"ministack.services.lambda_svc._emit_lambda_logs": "111efbf06968"}


def apply(_context: Context) -> None:
    emit = lambda_svc._emit_lambda_logs

    def emit_and_report(func: Any, request_id: str, text: str, error: bool, ms: int, **rest: Any) -> None:
        emit(func, request_id, text, error, ms, **rest)
        report(func["config"]["FunctionName"], text, ms, failed=error)

    lambda_svc._emit_lambda_logs = emit_and_report
