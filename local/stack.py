"""The deployed system on the emulator: create or update it, then read what it became."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local import template
from local.drift import differences
from local.launch import CREDENTIALS, REGION
from local.parameters import parameters
from local.repairs import repair

NAME = "imagetrail"
POLL = 0.02  # seconds


class DeployError(Exception):
    """The template could not be brought to stand on the emulator as it says."""


@dataclass(frozen=True)
class Stack:
    """What stands, and how to reach it."""

    endpoint: str

    def client(self, service: str) -> Any:
        return _client(self.endpoint, service)

    @cached_property
    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self._described(NAME)["Outputs"]}

    @cached_property
    def resources(self) -> dict[str, str]:
        """Physical ids by logical id."""
        listed = self.client("cloudformation").describe_stack_resources(StackName=NAME)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}

    @property
    def functions(self) -> list[str]:
        ...

    def environment(self, function: str) -> dict[str, str]:
        """All a function finds in its environment, given its logical id."""
        name = self.resources[function]
        found = self.client("lambda").get_function_configuration(FunctionName=name)
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables | CREDENTIALS | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(found["MemorySize"]),
        }

    def _described(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return described


@cache
def _client(endpoint: str, service: str) -> Any:
    session = boto3.Session(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    return session.client(service, endpoint_url=endpoint)


def deploy(endpoint: str, given: Mapping[str, str], root: Path = template.ROOT) -> Stack:
    """Brings the template to stand, changing only what differs from what stood before."""
    values = parameters(template.source(root), given)
    package = template.package(values, endpoint, root)
    stack = Stack(endpoint)
    _upload(stack, package.objects)
    _create_or_update(stack, package.url, values)
    return stack


def _upload(stack: Stack, objects: Mapping[str, bytes]) -> None:
    s3 = stack.client("s3")
    s3.create_bucket(Bucket=template.ARTIFACTS)
    held = {item["Key"] for item in s3.list_objects_v2(Bucket=template.ARTIFACTS).get("Contents", [])}
    for key in objects.keys() - held:
        s3.put_object(Bucket=template.ARTIFACTS, Key=key, Body=objects[key])


def _create_or_update(stack: Stack, url: str, values: Mapping[str, str]) -> None:
    cloudformation = stack.client("cloudformation")
    request = {
        "StackName": NAME,
        "TemplateURL": url,
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        message = error.response["Error"]["Message"]
        if "No updates are to be performed" in message:
            return
        if "does not exist" not in message:
            raise
        cloudformation.create_stack(**request)
    while (status := stack._described(NAME)["StackStatus"]).endswith("_IN_PROGRESS"):
        time.sleep(POLL)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployError(status)
