"""What stands in the emulator's account, with what there is much of listed once."""

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

Client = Callable[[str], Any]
Listed = dict[str, dict[str, Any]]


class NotFoundError(Exception):
    """There is no resource of this name."""


class Account:
    """Clients by service, and lists that hold as long as this object."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._routes = cache(self._list_routes)
        self._integrations = cache(self._list_integrations)

    def __call__(self, service: str) -> Any:
        return self._client(service)

    def role(self, name: str) -> dict[str, Any]:
        """A role with its policies. Raises NotFoundError, as the others do."""
        return _of(self._roles, name)

    def route(self, api: str, identifier: str) -> dict[str, Any]:
        """A route of an HTTP API."""
        return _of(self._routes(api), identifier)

    def routes(self, api: str) -> list[dict[str, Any]]:
        """All routes of an HTTP API."""
        return list(self._routes(api).values())

    def integration(self, api: str, identifier: str) -> dict[str, Any]:
        """An integration of an HTTP API."""
        return _of(self._integrations(api), identifier)

    @cached_property
    def _roles(self) -> Listed:
        pages = self("iam").get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
        return {role["RoleName"]: role for page in pages for role in page["RoleDetailList"]}

    def _list_routes(self, api: str) -> Listed:
        return {route["RouteId"]: route for route in self("apigatewayv2").get_routes(ApiId=api)["Items"]}

    def _list_integrations(self, api: str) -> Listed:
        listed = self("apigatewayv2").get_integrations(ApiId=api)["Items"]
        return {integration["IntegrationId"]: integration for integration in listed}


def _of(listed: Listed, name: str) -> dict[str, Any]:
    if name not in listed:
        raise NotFoundError
    return listed[name]
