"""Structured logs, one line a call, and metrics of what was made. Neither ever holds a prompt, a token or a user."""

from __future__ import annotations

import logging
import traceback

from aws_lambda_powertools.logging import Logger

logger = Logger(location=None, use_rfc3339=True)
logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it quotes whole requests, prompts and all


def log_call(*, route: str, status: int, code: str | None, milliseconds: float, request_id: str) -> None:
    """One answered request."""
    emit = logger.info if status < 500 else logger.error
    emit(
        "answered",
        extra={
            "route": route,
            "status": status,
            "code": code,
            "ms": round(milliseconds, 1),
            "request_id": request_id,
        },
    )


def log_defect(error: BaseException, request_id: str) -> None:
    """An error nobody expected: its type and where it was raised, without its message, which may quote a prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    logger.error("defect", extra={"type": type(error).__name__, "where": where, "request_id": request_id})


def count_image(*, generation_ms: int, cost_usd: float) -> None:
    """One image made."""
    count(ImagesGenerated=1, ModelMs=generation_ms, CostUsd=cost_usd)


def count(**values: float) -> None:
    """Writes metrics at once, in CloudWatch's embedded format.

    Names that end in `Ms` are milliseconds, in `Usd` plain amounts, all others counts.
    """
    from aws_lambda_powertools.metrics import Metrics, MetricUnit

    metrics = Metrics()
    for name, value in values.items():
        unit = MetricUnit.Milliseconds if name.endswith("Ms") else MetricUnit.Count
        metrics.add_metric(name=name, unit=MetricUnit.NoUnit if name.endswith("Usd") else unit, value=value)
    metrics.flush_metrics()
