"""The deployment an operator works on, as the package's own parts: the local stack, or a deployed one by its name."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from imagetrail.settings import MisconfiguredError, Settings
from imagetrail.sigv4 import Credentials
from imagetrail.wiring import Deployment
from local.aws import isolate
from local.aws import session as emulated
from local.folder import Folder
from local.parameters import variable
from local.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCAL_STACK = "imagetrail"


@dataclass(frozen=True, slots=True)
class Opened:
    """A deployment, and boto3's clients for what only operators do: listing its bucket and scanning its tables."""

    deployment: Deployment
    client: Callable[[str], Any]


@contextmanager
def opened(stack: str | None, region: str | None, profile: str | None) -> Iterator[Opened]:
    """The stack of this name in the account of the usual AWS credentials, or the local one. Raises ProblemError."""
    session, endpoint = _local() if stack is None else _deployed(region, profile)
    held = session.get_credentials()
    if held is None:
        raise ProblemError("there are no AWS credentials; sign in (`aws sso login`), or choose with --profile")

    def credentials() -> Credentials:
        return Credentials(*held.get_frozen_credentials()[:3])  # boto3 renews those that expire

    try:
        settings = _settings(_described(session, endpoint, stack or LOCAL_STACK), session.region_name, endpoint)
    except BotoCoreError as error:
        raise ProblemError(f"AWS cannot be asked: {error}") from None
    with closing(Deployment(settings, credentials)) as deployment:
        yield Opened(deployment, partial(session.client, endpoint_url=endpoint))


def _local() -> tuple[Any, str | None]:
    folder = Folder.from_environment()
    runtime = folder.runtime
    if runtime is None or not folder.is_held:
        raise ProblemError(
            f"no local stack runs on the data in {folder.path}; "
            "start it in another terminal with `make run`, or name a deployed one with --stack"
        )
    isolate()
    return emulated(folder.credentials), runtime.endpoint


def _deployed(region: str | None, profile: str | None) -> tuple[Any, str | None]:
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:
        raise ProblemError(f"AWS cannot be asked: {error}") from None
    if session.region_name is None:
        raise ProblemError("the stack's region is not known; give it with --region, or set AWS_REGION")
    return session, os.environ.get("AWS_ENDPOINT_URL")


def _described(session: Any, endpoint: str | None, stack: str) -> dict[str, Any]:
    with closing(session.client("cloudformation", endpoint_url=endpoint)) as cloudformation:
        try:
            found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                where = f"in {session.region_name}"
                raise ProblemError(f"there is no stack {stack} {where}; --region looks elsewhere") from None
            raise ProblemError(f"the stack {stack} cannot be read: {error}") from None
    return found


def _settings(stack: dict[str, Any], region: str, endpoint: str | None) -> Settings:
    """What the functions are told, as far as it can be seen from outside: parameters and outputs by their variables."""
    parameters = {variable(entry["ParameterKey"]): entry["ParameterValue"] for entry in stack.get("Parameters", ())}
    outputs = {variable(entry["OutputKey"]): entry["OutputValue"] for entry in stack.get("Outputs", ())}
    environment = {
        **parameters,
        **outputs,
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "PUBLIC_URL": outputs.get("URL", ""),
        **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}),
    }
    try:
        return Settings.from_environment(environment)
    except MisconfiguredError as error:
        raise ProblemError(f"{stack['StackName']} is no imagetrail of this version: {error}") from None
