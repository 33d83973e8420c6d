"""Passes the stage's variables to a function that an HTTP API calls, as API Gateway does. Upstream: the same."""

from typing import Any

from ministack.services import apigateway, lambda_svc

from local.emulator.context import Context

TARGETS = {
    "ministack.services.apigateway._get_stage_variables": "0cf2b6df2ef8",
    "ministack.services.lambda_svc._execute_function_with_config_scope": "26a9d5f64e17",
}


def apply(_context: Context) -> None:
    execute = lambda_svc._execute_function_with_config_scope

    def execute_with_variables(function: Any, event: Any, *rest: Any, **more: Any) -> Any:
        context = event.get("requestContext") if isinstance(event, dict) else None
        if context and "apiId" in context:
            event["stageVariables"] = apigateway._get_stage_variables(context["apiId"], context["stage"])
        return execute(function, event, *rest, **more)

    lambda_svc._execute_function_with_config_scope = execute_with_variables
