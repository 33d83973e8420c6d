"""What the front door passes to the user pool: the pages and endpoints of sign-in, and the public documents."""

from urllib.parse import parse_qsl

_METHODS = {
    "/login": ("GET", "POST"),
    "/logout": ("GET",),
    "/oauth2/authorize": ("GET",),
    "/oauth2/login": ("POST",),
    "/oauth2/token": ("POST",),
    "/oauth2/userInfo": ("GET", "POST"),
}
_FORM = "application/x-www-form-urlencoded"


def is_path(path: str) -> bool:
    """Whether the user pool answers there. A public document's path is `/{pool}/.well-known/{name}`."""
    parts = path.split("/")
    return path in _METHODS or (len(parts) == 4 and parts[2] == ".well-known")


def allowed_methods(path: str) -> tuple[str, ...]:
    """The methods of such a path."""
    return _METHODS.get(path, ("GET",))


def is_plain(authorization: str, query: str, content_type: str, body: bytes) -> bool:
    """Whether a request cannot be taken for one of another service, which a parameter or a signature would name."""
    form = body.decode("latin-1") if content_type.startswith(_FORM) else ""
    is_foreign = authorization.startswith("AWS4") or content_type.startswith("multipart/")
    return not is_foreign and not _names_service(query, form)


def _names_service(*encoded: str) -> bool:
    names = [name.lower() for text in encoded for name, _ in parse_qsl(text, keep_blank_values=True)]
    return any(name in ("action", "version") or name.startswith("x-amz-") for name in names)
