"""Which hosts and origins the front door answers.

Every page that the developer's browser shows can send requests to a loopback port, and a DNS name that is rebound to
loopback makes such a page the same origin. So a request is refused unless its Host is this machine's own name or that
of `PublicUrl`, and unless it comes from no page, from a page of the front door, or from an origin that CORS allows.
"""

from collections.abc import Container
from urllib.parse import urlsplit

from imagetrail.errors import CrossOrigin, Forbidden

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OWN_SITES = frozenset({"", "same-origin", "none"})


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine's loopback address."""
    try:
        return "@" not in host and urlsplit(f"//{host}").hostname in _LOOPBACK
    except ValueError:
        return False


def check_host(host: str, public_url: str) -> None:
    """Raises Forbidden for a Host that is neither loopback nor the host of `public_url`."""
    if not is_loopback(host) and host.lower() != urlsplit(public_url).netloc.lower():
        raise Forbidden(
            f"This service answers at {public_url}. To reach it under another host, set PUBLIC_URL to that address."
        )


def check_origin(
    host: str, origin: str | None, site: str, *, public_url: str, allowed: Container[str], public: bool
) -> None:
    """Raises CrossOrigin for a request of a foreign page.

    `origin` and `site` are the headers `Origin` and `Sec-Fetch-Site`; `public` means a read that any page may cause,
    such as a link to this page or an embedded image, and whose answer that page cannot read.
    """
    if origin is not None:
        if origin not in (f"http://{host}", public_url) and origin not in allowed:
            raise CrossOrigin("Requests from this origin are refused. Add it to ALLOWED_ORIGINS to allow them.")
    elif site not in _OWN_SITES and not public:
        raise CrossOrigin("Requests from pages of other origins are refused. Add the origin to ALLOWED_ORIGINS.")
