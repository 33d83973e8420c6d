"""CORS as API Gateway answers it, by the deployed API's configuration; the emulator's own allows too much."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.stack import Stack
from local.upstream import Headers, Reply


@dataclass(frozen=True)
class Cors:
    """`configuration` is the API's CorsConfiguration, empty when CORS is off. It counts below `paths` alone."""

    configuration: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ("/ai/",)

    @classmethod
    def of(cls, stack: Stack) -> "Cors":
        """For the API, and for uploads to and downloads from the bucket."""
        api = stack.client("apigatewayv2").get_api(ApiId=stack.resources["Api"])
        return cls(api.get("CorsConfiguration", {}), ("/ai/", f"/{stack.outputs['Bucket']}"))

    @property
    def origins(self) -> list[str]:
        """The origins that are allowed."""
        return list(self.configuration.get("AllowOrigins", ()))

    def preflight(self, scope: Mapping[str, Any]) -> Reply | None:
        """The answer to a preflight request, before `decorated`; None for any other request, and when CORS is off."""
        asked = {"origin", "access-control-request-method"} <= _headers(scope).keys()
        if scope["method"] != "OPTIONS" or not asked or not self._counts(scope):
            return None
        return Reply(204, [], b"")

    def decorated(self, scope: Mapping[str, Any], headers: Headers) -> Headers:
        """The headers of an answer with the CORS headers of this configuration, and without any others."""
        kept = [(name, value) for name, value in headers if not name.startswith("access-control-")]
        if not self._counts(scope):
            return kept
        kept.append(("vary", "origin"))
        if self._is_allowed(scope):
            kept.append(("access-control-allow-origin", _headers(scope)["origin"]))
            kept += [(f"access-control-{name}", value) for name, value in self._granted(scope["method"]).items()]
        return kept

    def _granted(self, method: str) -> dict[str, str]:
        if method != "OPTIONS":
            return {"expose-headers": ",".join(self.configuration["ExposeHeaders"])}
        return {
            "allow-methods": ",".join(self.configuration["AllowMethods"]),
            "allow-headers": ",".join(self.configuration["AllowHeaders"]),
            "max-age": str(self.configuration["MaxAge"]),
        }

    def _counts(self, scope: Mapping[str, Any]) -> bool:
        return bool(self.configuration) and scope["raw_path"].decode("latin-1").startswith(self.paths)

    def _is_allowed(self, scope: Mapping[str, Any]) -> bool:
        return _headers(scope).get("origin") in self.configuration["AllowOrigins"]


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
