"""The deployed system on the emulator: create or update it, then prove and read what it became."""

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from local import template
from local.aws import ACCOUNT, REGION, ClientError, client
from local.aws import environment as sdk_environment
from local.credentials import Credentials
from local.drift import NOT_COMPARED_TYPES, Resource, differences
from local.emulator.headers import DISK
from local.intrinsics import Scope
from local.parameters import parameters
from local.problem import ProblemError
from local.repairs import repair

NAME = "imagetrail"

_POLL = 0.02  # seconds
_ATTRIBUTES = {
    ("AWS::Cognito::UserPool", "ProviderName"): f"cognito-idp.{REGION}.amazonaws.com/{{}}",
    ("AWS::DynamoDB::Table", "Arn"): f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
    ("AWS::Events::Rule", "Arn"): f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{{}}",
    ("AWS::IAM::Role", "Arn"): f"arn:aws:iam::{ACCOUNT}:role/{{}}",
    ("AWS::Lambda::Function", "Arn"): f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*",
    ("AWS::S3::Bucket", "Arn"): "arn:aws:s3:::{}",
    ("AWS::S3::Bucket", "RegionalDomainName"): f"{{}}.s3.{REGION}.amazonaws.com",
    ("AWS::SQS::Queue", "Arn"): f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{name}}",
    ("AWS::SQS::Queue", "QueueName"): "{name}",
}


class DeployError(ProblemError):
    """The template could not be brought to stand on the emulator as it says."""


@dataclass(frozen=True)
class Stack:
    """What stands, and how to reach it."""

    endpoint: str
    credentials: Credentials

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator."""
        return client(self.endpoint, self.credentials, service)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The template's outputs."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.description["Outputs"]}

    @cached_property
    def resources(self) -> dict[str, str]:
        """Physical ids by logical id; a nested stack's resource is named `{stack}{resource}`."""
        listed = self.client("cloudformation").describe_stack_resources(StackName=NAME)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}

    @property
    def description(self) -> dict[str, Any]:
        """CloudFormation's, as of now."""
        described: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
        return described

    def environment(self, function: str) -> dict[str, str]:
        """All that a function, given by its logical id, finds in its environment."""
        held = self.client("lambda").get_function_configuration(FunctionName=self.resources[function])
        variables: dict[str, str] = held["Environment"]["Variables"]
        return (
            variables
            | sdk_environment(self.credentials)
            | {
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_LAMBDA_FUNCTION_NAME": held["FunctionName"],
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(held["MemorySize"]),
            }
        )


class Deployable(Protocol):
    """An emulator, or what stands on it already."""

    @property
    def endpoint(self) -> str: ...

    @property
    def credentials(self) -> Credentials: ...


def deploy(at: Deployable, given: Mapping[str, str], root: Path = template.ROOT) -> Stack:
    """Brings the template to stand, changing only what differs from what stood before.

    Raises DeployError, and OSError when the emulator's disk is full.
    """
    values = parameters(template.source(root), given)
    package = template.package(values, at.endpoint, root)
    stack = Stack(at.endpoint, at.credentials)
    try:
        return _deploy(stack, package, values)
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        if answer["HTTPStatusCode"] == 503 and answer["HTTPHeaders"].get(DISK):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise


def _deploy(stack: Stack, package: template.Package, values: Mapping[str, str]) -> Stack:
    _keep_items(stack, package.template)
    _upload(stack, package.objects)
    _create_or_update(stack, package.url, values)
    resources = list(_resolved(stack, package.template, values))
    dropped = {difference.resource for difference in differences(resources, stack.client)}
    again = [resource for resource in resources if resource.logical in dropped]
    for resource in again:
        repair(resource, stack.client)
    if found := differences(again, stack.client, resources):
        said = "\n".join(map(str, found))
        raise DeployError(f"what stands is not what the template says:\n{said}\nMove the data folder to begin anew.")
    return stack


def _keep_items(stack: Stack, new: template.Template) -> None:
    """The emulator makes a table with another key anew under the same name, whatever the template retains."""
    dynamodb = stack.client("dynamodb")
    try:
        ids = stack.resources
    except ClientError:  # the first deployment
        return
    finally:
        stack.__dict__.pop("resources", None)
    for name, resource in new["Resources"].items():
        if resource["Type"] == "AWS::DynamoDB::Table" and name in ids:
            table = dynamodb.describe_table(TableName=ids[name])["Table"]
            if table["KeySchema"] != resource["Properties"]["KeySchema"] and table["ItemCount"]:
                raise DeployError(
                    f"{name}: another key would cost its {table['ItemCount']} items; move the data folder away first"
                )


def _upload(stack: Stack, objects: Mapping[str, bytes]) -> None:
    s3 = stack.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=template.ARTIFACTS)
    held = {item["Key"] for item in s3.list_objects_v2(Bucket=template.ARTIFACTS).get("Contents", [])}
    for key in objects.keys() - held:
        s3.put_object(Bucket=template.ARTIFACTS, Key=key, Body=objects[key])
    for key in held - objects.keys():
        s3.delete_object(Bucket=template.ARTIFACTS, Key=key)


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
            raise DeployError(message) from error
        cloudformation.create_stack(**request)
    while (status := stack.description["StackStatus"]).endswith("_IN_PROGRESS"):
        time.sleep(_POLL)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployError("\n".join([f"the deployment ended in {status}:", *_reasons(stack)]))


def _reasons(stack: Stack) -> Iterator[str]:
    for event in stack.client("cloudformation").describe_stack_events(StackName=NAME)["StackEvents"]:
        if event["ResourceStatus"].endswith("_FAILED"):
            yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"


def _resolved(stack: Stack, expanded: template.Template, values: Mapping[str, str]) -> Iterator[Resource]:
    kinds = {name: resource["Type"] for name, resource in expanded["Resources"].items()}
    ids = {**stack.resources, "AWS::StackId": stack.description["StackId"]}

    def attribute(logical: str, name: str) -> str:
        if (kinds[logical], name) == ("AWS::DynamoDB::Table", "StreamArn"):  # it holds the time of its creation
            table = stack.client("dynamodb").describe_table(TableName=ids[logical])["Table"]
            return str(table["LatestStreamArn"])
        physical = ids[logical]
        if kinds[logical] == "AWS::SecretsManager::Secret":  # nothing in its name tells how its ARN ends
            return str(stack.client("secretsmanager").describe_secret(SecretId=physical)["ARN"])
        return _ATTRIBUTES[kinds[logical], name].format(physical, name=physical.rpartition("/")[2])

    scope = Scope(expanded, values, NAME, ids, attribute)
    for name, resource in expanded["Resources"].items():
        absent = "Condition" in resource and not scope.holds(resource["Condition"])
        if absent or kinds[name] in NOT_COMPARED_TYPES:
            continue
        if name not in ids:
            raise DeployError(f"{name} was never created")
        yield Resource(name, kinds[name], scope.resolve(resource.get("Properties", {})), ids[name])
