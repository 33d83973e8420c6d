"""The one error hierarchy. Each error owns the HTTP status and code that a caller sees.

ImagetrailError                     500 internal_error
├── Malformed                       400 malformed_request
│   └── InvalidCursor               400 invalid_cursor
├── Unauthenticated                 401 unauthenticated
├── InvalidSignature                401 invalid_signature
├── Forbidden                       403 forbidden
│   ├── AccountErased               403 account_erased
│   └── CrossOrigin                 403 cross_origin
├── NotFound                        404 not_found
├── MethodNotAllowed                405 method_not_allowed
├── Conflict                        409 conflict
│   └── InProgress                  409 request_in_progress
├── PreconditionFailed              412 precondition_failed
├── TooLarge                        413 too_large
├── UnsupportedMediaType            415 unsupported_media_type
├── Invalid                         422 invalid_request
│   ├── Blocked                     422 content_blocked
│   ├── KeyReused                   422 idempotency_key_reused
│   └── ModelGone                   422 model_gone
├── QuotaExhausted                  429 quota_exhausted
├── BudgetExhausted                 429 budget_exhausted
└── Unavailable                     503 service_unavailable
    └── ModelFailed                 503 model_failed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class ImagetrailError(Exception):
    """A failure with a detail that is safe to show to the caller: it never quotes AWS, a vendor or a secret.

    `errors` are (field, message) pairs; `image_id` names the record that tells of a failed generation;
    `retry_after` is in seconds; `headers` go with the answer.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        detail: str,
        *,
        errors: Iterable[tuple[str, str]] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        self.image_id: str | None = None


class Malformed(ImagetrailError):
    """The request cannot be read at all."""

    status = 400
    code = "malformed_request"
    title = "The request cannot be read"


class InvalidCursor(Malformed):
    """A cursor that was not made for this caller and these filters."""

    code = "invalid_cursor"
    title = "The cursor is not valid here"


class Unauthenticated(ImagetrailError):
    """No token where one is needed, or one that does not verify."""

    status = 401
    code = "unauthenticated"
    title = "A valid bearer token is needed"

    def __init__(self, detail: str, *, with_token: bool = True) -> None:
        super().__init__(detail)
        self.with_token = with_token


class InvalidSignature(ImagetrailError):
    """A webhook that its sender's secret did not sign, or not just now."""

    status = 401
    code = "invalid_signature"
    title = "The webhook is not signed as it must be"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"www-authenticate": "Webhook-Signature"})


class Forbidden(ImagetrailError):
    """The caller is known, and may not do this."""

    status = 403
    code = "forbidden"
    title = "This is not yours to do"


class AccountErased(Forbidden):
    """The caller's account is gone; their token is not yet."""

    code = "account_erased"
    title = "This account is erased"


class CrossOrigin(Forbidden):
    """A request to change something, from a page of another origin."""

    code = "cross_origin"
    title = "The request comes from a page of another origin"


class NotFound(ImagetrailError):
    """Nothing there, or nothing this caller may see."""

    status = 404
    code = "not_found"
    title = "There is no such thing"


class MethodNotAllowed(ImagetrailError):
    """The path exists, with other methods."""

    status = 405
    code = "method_not_allowed"
    title = "The path does not take this method"


class Conflict(ImagetrailError):
    """The thing is not in a state for this, or no longer in the one the caller knew."""

    status = 409
    code = "conflict"
    title = "As things stand this cannot be done"


class InProgress(Conflict):
    """The first request with this idempotency key is not answered yet."""

    code = "request_in_progress"
    title = "The same request is being worked on"

    def __init__(self, detail: str = "A request with this Idempotency-Key is being worked on.") -> None:
        super().__init__(detail, retry_after=5)


class PreconditionFailed(ImagetrailError):
    """The thing is not, or no longer, the one that `If-Match` names."""

    status = 412
    code = "precondition_failed"
    title = "It is not what the request expects"


class TooLarge(ImagetrailError):
    """More bytes than a request may have."""

    status = 413
    code = "too_large"
    title = "The request is too large"


class UnsupportedMediaType(ImagetrailError):
    """A body that is compressed, or in another character set than UTF-8."""

    status = 415
    code = "unsupported_media_type"
    title = "The encoding of the body is not supported"


class Invalid(ImagetrailError):
    """Well-formed, with a value that is not acceptable; `errors` names each field."""

    status = 422
    code = "invalid_request"
    title = "The request has invalid values"


class Blocked(Invalid):
    """The model refused the prompt or its result; `charged` says whether its vendor may have taken money for it."""

    code = "content_blocked"
    title = "The model refused this prompt"

    def __init__(self, detail: str = "The image model refused this prompt.", *, charged: bool = False) -> None:
        super().__init__(detail)
        self.charged = charged


class KeyReused(Invalid):
    """An idempotency key that came before, with another body."""

    code = "idempotency_key_reused"
    title = "This key belongs to another request"

    def __init__(
        self, detail: str = "This Idempotency-Key was sent before with another body. Send a new key with a new request."
    ) -> None:
        super().__init__(detail)


class ModelGone(Invalid):
    """The model that made an image is not offered any more; another one would be used if the caller says so."""

    code = "model_gone"
    title = "The model that made this image is gone"


class QuotaExhausted(ImagetrailError):
    """The caller's images of the day are used up."""

    status = 429
    code = "quota_exhausted"
    title = "The quota is used up"


class BudgetExhausted(ImagetrailError):
    """The deployment's money of the month is spent."""

    status = 429
    code = "budget_exhausted"
    title = "The budget is spent"


class Unavailable(ImagetrailError):
    """Something this service stands on is away or overloaded; the same request may succeed later."""

    status = 503
    code = "service_unavailable"
    title = "The service is not available right now"

    def __init__(self, detail: str = "Please try again shortly.", *, retry_after: int = 2) -> None:
        super().__init__(detail, retry_after=retry_after)


class ModelFailed(Unavailable):
    """A model gave no usable answer; `charged` says whether its vendor may have taken money for it."""

    code = "model_failed"
    title = "The model failed"

    def __init__(self, detail: str, *, retry_after: int = 5, charged: bool = False) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.charged = charged


def hierarchy(root: type[ImagetrailError] = ImagetrailError) -> Iterator[type[ImagetrailError]]:
    """Every error class of this module, the root first: the source of the documented enumeration of codes."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == __name__:
            yield from hierarchy(child)


def recorded(text: str, image_id: str) -> ImagetrailError:
    """The error that a failed record tells of, `text` being its `error`: the code, a colon and the detail."""
    code, _, detail = text.partition(": ")
    for kind in (Blocked, ModelFailed, Unavailable):
        if kind.code == code:
            error: ImagetrailError = kind(detail)
            break
    else:
        error = ImagetrailError("A defect of this service made it fail.")
    error.image_id = image_id
    return error
