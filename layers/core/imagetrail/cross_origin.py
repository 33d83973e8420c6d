"""Protection against cross-site request forgery: a page of another origin may not change anything.

Browsers say in `Origin` and `Sec-Fetch-Site` which page a request comes from, and no page can forge either. What is
not a browser sends neither, and is not affected.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imagetrail.errors import CrossOrigin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_SITES = frozenset({"cross-site", "same-site"})
_DEFAULT_PORT = re.compile(r"(?<=^http:)(//.*):80$|(?<=^https:)(//.*):443$")


def require_allowed_origin(event: Mapping[str, Any], public_url: str, allowed: Iterable[str]) -> None:
    """Raises CrossOrigin for a request of a page that is neither this deployment's nor of an allowed origin."""
    headers: Mapping[str, str] = event.get("headers") or {}
    origin = headers.get("origin")
    if origin is None:
        if headers.get("sec-fetch-site", "").strip().lower() in _OTHER_SITES:
            raise CrossOrigin("A page of another site sent this request. Send it from the deployment's own pages.")
        return
    normal = _normal(origin)
    if normal not in {_normal(one) for one in (public_url, *allowed, *_own_hosts(headers)) if one}:
        raise CrossOrigin(
            "A page of another origin sent this request. To allow its origin, add it to the deployment's parameter "
            "AllowedOrigins (for a local run: ALLOWED_ORIGINS)."
        )


def _own_hosts(headers: Mapping[str, str]) -> Iterator[str]:
    """The origins that the request was sent to: `x-viewer-host` is the Host of the request to the edge."""
    schemes = [headers["x-forwarded-proto"]] if "x-forwarded-proto" in headers else ["http", "https"]
    for name in ("host", "x-viewer-host"):
        if name in headers:
            yield from (f"{scheme}://{headers[name]}" for scheme in schemes)


def _normal(origin: str) -> str:
    """An origin as browsers write it: lower case, without the scheme's own port."""
    return _DEFAULT_PORT.sub(r"\1\2", origin.strip().lower())
