"""Whether what stands is what the template says: the emulator reports success for properties that it drops."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.account import Account, Client, NotFoundError
from local.aws import ClientError
from local.observe import READERS

# The front door stands where CloudFront stands.
NOT_COMPARED_TYPES = frozenset(
    {
        "AWS::CloudFront::Distribution",
        "AWS::CloudFront::Function",
        "AWS::CloudFront::OriginAccessControl",
        "AWS::CloudFront::ResponseHeadersPolicy",
    }
)
NOT_COMPARED_PROPERTIES = frozenset({"Tags"})  # the emulator mixes its own in

_ABSENT = "nothing"


@dataclass(frozen=True)
class Resource:
    """One resource of the template: its properties with every reference resolved, and what it became."""

    logical: str
    kind: str
    properties: Mapping[str, Any]
    physical: str


@dataclass(frozen=True)
class Difference:
    """One property that stands otherwise than the template says."""

    resource: str
    property: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.resource}: {self.property} should be {self.expected!r} and is {self.actual!r}"


def differences(resources: list[Resource], client: Client, template: list[Resource] | None = None) -> list[Difference]:
    """Every property of `resources` that stands otherwise, and every route and CORS that the template does not name.

    `template` is all of its resources, where `resources` are only some.
    """
    whole, account = template or resources, Account(client)
    found = [difference for resource in resources for difference in _of(resource, account)]
    return found + list(_unnamed_routes(whole, account)) + list(_unnamed_cors(whole, account))


def _of(resource: Resource, account: Account) -> Iterator[Difference]:
    if resource.kind not in READERS:
        yield Difference(resource.logical, "Type", "one that local/observe.py can read", resource.kind)
        return
    try:
        actual = READERS[resource.kind](account, resource.physical, resource.properties)
    except ClientError as error:
        yield Difference(resource.logical, "existence", resource.physical, error.response["Error"]["Code"])
        return
    except NotFoundError:
        yield Difference(resource.logical, "existence", resource.physical, _ABSENT)
        return
    for name, value in resource.properties.items():
        if name not in NOT_COMPARED_PROPERTIES:
            yield from _compare(resource.logical, name, value, actual.get(name, _ABSENT))


def _compare(resource: str, path: str, expected: Any, actual: Any) -> Iterator[Difference]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name, value in expected.items():
            yield from _compare(resource, f"{path}.{name}", value, actual.get(name, _ABSENT))
        if path == "Environment.Variables":
            for name in actual.keys() - expected.keys():
                yield Difference(resource, f"{path}.{name}", _ABSENT, actual[name])
    elif isinstance(expected, list) and isinstance(actual, list):
        if not _same_members(expected, actual):
            yield Difference(resource, path, expected, actual)
    elif not _same_scalar(expected, actual):
        yield Difference(resource, path, expected, actual)


def _same_members(expected: list[Any], actual: list[Any]) -> bool:
    """Whether two lists have the same members in any order; a member of `actual` may say more."""
    left = list(actual)
    for item in expected:
        match = next((other for other in left if not any(_compare("", "", item, other))), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _same_scalar(expected: Any, actual: Any) -> bool:
    """Templates write numbers and booleans as text where services do not, and the other way round."""
    if isinstance(expected, list) != isinstance(actual, list):  # IAM takes one member for a list of it
        return bool([expected] == actual or expected == [actual])
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return expected == actual
    return str(expected).lower() == str(actual).lower()


def _unnamed_cors(resources: list[Resource], account: Account) -> Iterator[Difference]:
    for api in (resource for resource in resources if resource.kind == "AWS::ApiGatewayV2::Api"):
        held = account("apigatewayv2").get_api(ApiId=api.physical).get("CorsConfiguration")
        if held and "CorsConfiguration" not in api.properties:
            yield Difference(api.logical, "CorsConfiguration", _ABSENT, held)


def _unnamed_routes(resources: list[Resource], account: Account) -> Iterator[Difference]:
    for api in (resource for resource in resources if resource.kind == "AWS::ApiGatewayV2::Api"):
        named = {
            resource.properties["RouteKey"]
            for resource in resources
            if resource.kind == "AWS::ApiGatewayV2::Route" and resource.properties["ApiId"] == api.physical
        }
        for route in account.routes(api.physical):
            if route["RouteKey"] not in named:
                yield Difference(api.logical, "routes", _ABSENT, route["RouteKey"])
