"""Where tokens come from when it is not the stack's own user pool, looked at before anybody has to wonder."""

import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from local.aws import CREDENTIALS, ClientError
from local.parameters import InvalidParameterError
from local.stack import Stack

_LOOPBACK = ("localhost", "127.0.0.1", "::1")  # as imagetrail.tokens has it
_OF_THE_COMMAND = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


def check(parameters: Mapping[str, str]) -> None:
    """Raises InvalidParameterError for an issuer whose keys no function would fetch."""
    issuer = parameters["AuthIssuer"]
    if urlsplit(issuer).scheme == "http" and urlsplit(issuer).hostname not in _LOOPBACK:
        raise InvalidParameterError(f"AUTH_ISSUER={issuer} is refused: plain http is for this machine only; use https")


def warning(stack: Stack) -> str:
    """What to do about a shared secret that is named and does not exist, if that is so."""
    name = stack.environment("ListImages")["AUTH_SECRET_NAME"]
    if not name:
        return ""
    try:
        stack.client("secretsmanager").get_secret_value(SecretId=name)
    except ClientError:
        account = " ".join(f"{variable}={CREDENTIALS[variable]}" for variable in _OF_THE_COMMAND)
        return (
            f"AUTH_SECRET_NAME={name} names no secret, and tokens signed with it are refused until it exists: "
            f"{account} aws secretsmanager create-secret --endpoint-url {stack.endpoint} "
            f"--name {shlex.quote(name)} --secret-string YOUR-SECRET"
        )
    return ""
