"""Gives each function's role session a secret of this data folder.

The emulator computes key, secret and token from the ARNs of function and role, which anybody can guess.
Upstream: random credentials for each sandbox.
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc, sts

from local.emulator.context import Context

TARGETS = {
    "ministack.core.lambda_runtime.execution_credentials": "cffaadc4f396",
    "ministack.core.lambda_runtime._account_region_from_function_config": "701ed919ed48",
    "ministack.services.sts.register_session": "a84ec986ec01",
}


def apply(context: Context) -> None:
    derived = context.credentials.derived

    def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
        account, _region = lambda_runtime._account_region_from_function_config(config)
        role, session = config["Role"].rpartition("/")[2], config["FunctionName"][:64]
        identity = f"{config['FunctionArn']} {config['Role']}"
        key_id = f"ASIA{derived(f'key {identity}')[:16].upper()}"
        secret, token = derived(f"secret {identity}"), derived(f"token {identity}")
        sts.register_session(
            key_id,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
                "UserId": f"{role}:{session}",
                "SecretAccessKey": secret,
                "SessionToken": token,
            },
        )
        return {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = execution_credentials
