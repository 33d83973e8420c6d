"""The environment, read once and typed. No other module looks at os.environ."""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

AnonymousHistory = Literal["unowned", "all", "none"]


class MisconfiguredError(Exception):
    """The deployment lacks a setting; the message names the environment variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What template.yaml tells its functions. `endpoint_url` replaces every AWS endpoint (an emulator)."""

    region: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None
    endpoint_url: str | None
    images_table: str
    datasets_table: str
    ledger_table: str
    reports_table: str
    lake: str
    bucket: str
    generation_queue: str
    distribution: str
    bucket_url: str
    model: str
    public_url: str
    allowed_origins: tuple[str, ...]
    auth_issuer: str
    auth_audience: str
    auth_jwks_url: str
    auth_secret_name: str
    anonymous_history: AnonymousHistory
    user_daily_quota: int
    anonymous_daily_quota: int
    monthly_budget_usd: Decimal
    source_secret_name: str
    embed_prompt: bool
    search_shards: int
    local_run: bool
    stability_secret_name: str
    stability_url: str
    stability_host: str
    gemini_secret_name: str
    gemini_url: str
    bedrock_region: str
    bedrock_url: str | None
    vision_model: str
    webhook_secret_name: str
    user_pool_id: str
    run_jobs_function: str
    fold_days_function: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Raises MisconfiguredError for a variable that is missing or has a value that is not allowed."""

        def required(name: str) -> str:
            if name not in environment:
                raise MisconfiguredError(f"environment variable {name} is not set")
            return environment[name]

        def whole(name: str) -> int:
            text = environment.get(name, "0")
            if not (text.isascii() and text.isdigit()):
                raise MisconfiguredError(f"environment variable {name} must be a whole number, not {text!r}")
            return int(text)

        anonymous_history = environment.get("ANONYMOUS_HISTORY", "unowned")
        if anonymous_history not in ("unowned", "all", "none"):
            raise MisconfiguredError("environment variable ANONYMOUS_HISTORY must be unowned, all or none")
        return cls(
            region=required("AWS_REGION"),
            access_key_id=required("AWS_ACCESS_KEY_ID"),
            secret_access_key=required("AWS_SECRET_ACCESS_KEY"),
            session_token=environment.get("AWS_SESSION_TOKEN"),
            endpoint_url=environment.get("AWS_ENDPOINT_URL"),
            images_table=required("IMAGES_TABLE"),
            datasets_table=required("DATASETS_TABLE"),
            ledger_table=required("LEDGER_TABLE"),
            reports_table=required("REPORTS_TABLE"),
            lake=environment.get("LAKE", ""),
            bucket=required("BUCKET"),
            generation_queue=environment.get("GENERATION_QUEUE", ""),
            distribution=environment.get("DISTRIBUTION", ""),
            bucket_url=environment.get("BUCKET_URL")
            or f"https://{required('BUCKET')}.s3.{required('AWS_REGION')}.amazonaws.com",
            model=environment.get("MODEL", "procedural"),
            public_url=environment.get("PUBLIC_URL", ""),
            allowed_origins=tuple(filter(None, environment.get("ALLOWED_ORIGINS", "").split(","))),
            auth_issuer=environment.get("AUTH_ISSUER", ""),
            auth_audience=environment.get("AUTH_AUDIENCE", ""),
            auth_jwks_url=environment.get("AUTH_JWKS_URL", ""),
            auth_secret_name=environment.get("AUTH_SECRET_NAME", ""),
            anonymous_history=cast("AnonymousHistory", anonymous_history),
            user_daily_quota=whole("USER_DAILY_QUOTA"),
            anonymous_daily_quota=whole("ANONYMOUS_DAILY_QUOTA"),
            monthly_budget_usd=Decimal(environment.get("MONTHLY_BUDGET_USD", "0")),
            source_secret_name=environment.get("SOURCE_SECRET_NAME", ""),
            embed_prompt=environment.get("EMBED_PROMPT", "true") == "true",
            search_shards=whole("SEARCH_SHARDS") or 16,
            local_run=environment.get("LOCAL_RUN", "false") == "true",
            stability_secret_name=environment.get("STABILITY_SECRET_NAME", ""),
            stability_url=environment.get("STABILITY_URL", "https://api.stability.ai"),
            stability_host=environment.get("STABILITY_HOST", "grpc.stability.ai:443"),
            gemini_secret_name=environment.get("GEMINI_SECRET_NAME", ""),
            gemini_url=environment.get("GEMINI_URL", "https://generativelanguage.googleapis.com"),
            bedrock_region=environment.get("BEDROCK_REGION", "us-west-2"),
            bedrock_url=environment.get("BEDROCK_URL"),
            vision_model=environment.get("VISION_MODEL", ""),
            webhook_secret_name=environment.get("WEBHOOK_SECRET_NAME", ""),
            user_pool_id=environment.get("USER_POOL_ID", ""),
            run_jobs_function=environment.get("RUN_JOBS_FUNCTION", ""),
            fold_days_function=environment.get("FOLD_DAYS_FUNCTION", ""),
        )
