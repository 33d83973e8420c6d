"""Where tokens come from, and which secrets are missing, looked at before anybody has to wonder."""

import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

from local import credentials
from local.aws import REGION, ClientError
from local.folder import Folder
from local.parameters import InvalidParameterError
from local.stack import Stack

_LOOPBACK = ("localhost", "127.0.0.1", "::1")  # as imagetrail.tokens has it
_SECRETS = {
    "AUTH_SECRET_NAME": ("ListImages", "tokens signed with it are refused"),
    "WEBHOOK_SECRET_NAME": ("ReceiveUserDeleted", "users whom the issuer deletes stay"),
    "STABILITY_SECRET_NAME": ("GenerateImage", "images of Stability AI fail"),
    "GEMINI_SECRET_NAME": ("GenerateImage", "images of Gemini fail"),
}


def check(parameters: Mapping[str, str]) -> None:
    """Raises InvalidParameterError for an issuer whose keys no function would fetch."""
    issuer = parameters["AuthIssuer"]
    if urlsplit(issuer).scheme == "http" and urlsplit(issuer).hostname not in _LOOPBACK:
        raise InvalidParameterError(f"AUTH_ISSUER={issuer} is refused: plain http is for this machine only; use https")


def warnings(stack: Stack, folder: Folder) -> list[str]:
    """What to do about secrets that are named and do not exist."""
    secrets = stack.client("secretsmanager")
    account = f"AWS_SHARED_CREDENTIALS_FILE={shlex.quote(str(folder.path / credentials.FILE))}"
    said = []
    for variable, (function, refused) in _SECRETS.items():
        if not (name := stack.environment(function)[variable]):
            continue
        try:
            secrets.get_secret_value(SecretId=name)
        except ClientError:
            said.append(
                f"{variable}={name} names no secret, and {refused} until it exists: "
                f"{account} aws secretsmanager create-secret --region {REGION} --endpoint-url {stack.endpoint} "
                f"--name {shlex.quote(name)} --secret-string YOUR-SECRET"
            )
    return said
