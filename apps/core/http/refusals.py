"""Why a request is refused before the domain sees it; each class's docstring is the page behind its `code`.

DRF raises its own for some of these: ours name the same code and say what it means.
"""

from __future__ import annotations

from rest_framework import exceptions


class BadRequest(exceptions.APIException):
    """The request cannot be read: a host name that is not this service's, or a header that makes no sense."""

    status_code = 400
    default_code = "bad_request"
    default_detail = "The request is not one this service can read."


class MalformedBody(exceptions.ParseError):
    """The body is not a JSON object in UTF-8, ends too early, holds a NUL, or has more values than the route takes."""

    default_code = "parse_error"


class MethodNotAllowed(exceptions.MethodNotAllowed):
    """The route has other methods; the Allow header lists them."""

    default_code = "method_not_allowed"


class LengthRequired(exceptions.APIException):
    """The body came in chunks; send it with a Content-Length."""

    status_code = 411
    default_code = "length_required"
    default_detail = "Send the body with a Content-Length, not in chunks."


class ContentTooLarge(exceptions.APIException):
    """The body has more bytes than the route takes; `detail` says how many those are."""

    status_code = 413
    default_code = "content_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have up to {limit} bytes.")


class UnsupportedMediaType(exceptions.UnsupportedMediaType):
    """The Content-Type header names a type that this route does not take."""

    default_code = "unsupported_media_type"


class EncodedBody(exceptions.APIException):
    """The body is compressed; send it as it is, without a Content-Encoding."""

    status_code = 415
    default_code = "unsupported_media_type"
    default_detail = "Send the body as it is, without a Content-Encoding."


class InternalError(exceptions.APIException):
    """An error of this service; the request id leads to it in the log."""

    status_code = 500
    default_code = "internal_error"
    default_detail = "Something went wrong here; the request id leads to it in the log."


class Unavailable(exceptions.APIException):
    """A part of this service does not answer, or has no room; Retry-After says in seconds when to come again."""

    status_code = 503
    default_code = "unavailable"
    default_detail = "The database cannot do this at the moment; try again."
    wait = 1
