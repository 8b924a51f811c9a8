"""What the routes' descriptions in the OpenAPI schema share: parameters, headers and the answers for errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from apps.core.api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from apps.core.http.problems import CONTENT_TYPE, title

JsonObject = dict[str, Any]
S = TypeVar("S", bound=type)
M = TypeVar("M", bound=Callable[..., Any])
# PostgreSQL keeps no NUL
NO_NUL = r"^[^\u0000]*$"

LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="Rows a page.",
)
CURSOR = OpenApiParameter(
    "cursor",
    str,
    description="Where to read on: `next` or `previous` of another page of this list. Opaque and signed; not a URL.",
)
PAGE = (LIMIT, CURSOR)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="Entity tags (or `*`); 412 unless what is there has one of them. Compared strongly.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="Entity tags (or `*`); 304 for a read, 412 for a change, if what is there has one of them.",
)
CONDITIONS = (IF_MATCH, IF_NONE_MATCH)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    OpenApiParameter.HEADER,
    description="A repeat under the same key within 24 hours gets the first answer again.",
)

# as settings/base.py says it of a key in a path: a client compares the two
KEY: JsonObject = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 10**18 - 1}
# no schema for its values: one that names itself is more than client generators can read
ANY_OBJECT: JsonObject = {"type": "object", "additionalProperties": True}


@extend_schema_field(KEY)
class Id(serializers.IntegerField):
    """The id of a row in an answer: the same integer as in a path."""


class Page(serializers.Serializer[Any]):
    """What every page of a list that goes both ways has beside its `results`."""

    next = serializers.CharField(
        allow_null=True, help_text="Opaque and signed, not a URL: give it as `cursor` to read on. Null at the end."
    )
    previous = serializers.CharField(
        allow_null=True, help_text="Opaque and signed, not a URL: give it as `cursor` to go back. Null at the start."
    )


def _header(description: str, kind: str = "string", **more: Any) -> JsonObject:
    return {"description": description, "schema": {"type": kind, **more}}


HEADERS: JsonObject = {
    "X-Request-ID": _header("The id of this request in the log.", pattern="^[A-Za-z0-9._-]{8,128}$"),
    "X-Process-Time": _header("Seconds that the answer took.", pattern=r"^[0-9]+\.[0-9]+$"),
    "X-API-Version": _header("The version that answered."),
    "RateLimit": _header("What is left of the limit: r requests, until t seconds from now."),
    "RateLimit-Policy": _header("The limit: q requests in w seconds."),
    "Deprecation": _header("The version is deprecated since then (RFC 9745); once API_V1_SUNSET is set."),
    "Sunset": _header("The version ends then (RFC 8594); once API_V1_SUNSET is set."),
    "ETag": _header("The entity tag of this representation."),
    "Cache-Control": _header("Who may keep it, and for how long."),
    "Vary": _header("The request headers that the answer depends on."),
    "Link": _header("Other pages of this list (RFC 8288)."),
    "Location": _header("Where to find what was made.", format="uri-reference"),
    "Idempotency-Replayed": _header("`true` on the answer to a repeat."),
    "Content-Disposition": _header("A file name to keep it under."),
    "Retry-After": _header("Seconds to wait before the next try.", "integer", minimum=0),
    "WWW-Authenticate": _header("How to authenticate (RFC 6750)."),
    "Allow": _header("The methods that the route has."),
}
OF_EVERY_ANSWER = ("X-Request-ID", "X-Process-Time", "X-API-Version", "RateLimit", "RateLimit-Policy")
OF_V1 = ("Deprecation", "Sunset", "Link")
OF_A_PROBLEM: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

# by status: the component's name, a code and a detail as an example, and what it means
PROBLEMS: dict[int, tuple[str, str, str, str]] = {
    400: ("BadRequest", "invalid", "name: A name is needed.", "Malformed, or a value is refused; `errors` says where."),
    401: ("Unauthorized", "not_authenticated", "This needs a bearer token.", "No valid token."),
    403: ("Forbidden", "permission_denied", "Only staff may do this.", "The caller may not do this."),
    404: ("NotFound", "not_found", "There is no user 7.", "No such thing, or not for this caller."),
    405: ("MethodNotAllowed", "method_not_allowed", 'Method "PUT" not allowed.', "The route has not this method."),
    409: ("Conflict", "conflict", "It was made by somebody else meanwhile.", "It clashes with what is there."),
    411: ("LengthRequired", "length_required", "Send the body with a Content-Length.", "The body came in chunks."),
    412: ("PreconditionFailed", "precondition_failed", "It was changed since you read it.", "The condition fails."),
    413: ("ContentTooLarge", "content_too_large", "The body may have up to 10485760 bytes.", "The body is too large."),
    415: (
        "UnsupportedMediaType",
        "unsupported_media_type",
        'Unsupported media type "text/plain" in request.',
        "The body is not of a type that the route takes.",
    ),
    422: (
        "IdempotencyKeyReused",
        "idempotency_key_reused",
        "This Idempotency-Key was used for another request.",
        "The Idempotency-Key was used for another request.",
    ),
    429: ("TooManyRequests", "rate_limited", "More than 100 requests in a minute.", "Too many requests."),
    500: ("InternalError", "internal_error", "Something went wrong here.", "An error of this service."),
    503: ("Unavailable", "unavailable", "The database does not answer.", "A part that is needed does not answer."),
}


def example(value: JsonObject) -> Callable[[S], S]:
    """Decorator for a serializer: `value` is what such a body looks like."""
    return extend_schema_serializer(examples=[OpenApiExample("example", value)])


def documented(**operation: Any) -> Callable[[M], M]:
    """Decorator for a view's method: what the schema says of it, in the words of drf-spectacular's `extend_schema`.

    It is told when somebody asks for the schema: at once it would load four MiB into each process that has the view.
    """

    def decorate(method: M) -> M:
        vars(method)["documented"] = operation
        return method

    return decorate


def problem_answer(status: int) -> JsonObject:
    """A reference to the answer for an error with `status`."""
    return {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"}


def problem_answers() -> JsonObject:
    """The answers for errors, by name."""
    return {PROBLEMS[status][0]: _problem_answer(status) for status in PROBLEMS}


def _problem_answer(status: int) -> JsonObject:
    _, code, detail, meaning = PROBLEMS[status]
    example: JsonObject = {
        "type": f"https://api.example.com/problems/{code}",
        "title": title(status),
        "status": status,
        "detail": detail,
        "instance": "/api/v1/users/7",
        "code": code,
        "request_id": "0b7e8c4de1f14b0c9a3c7a52f2f6c1d3",
    }
    if status == 400:
        example["errors"] = [{"pointer": "/name", "code": "blank", "detail": "A name is needed."}]
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}, "example": example}}
    return {"description": meaning, "headers": headers(*OF_A_PROBLEM.get(status, ())), "content": content}


def headers(*names: str) -> JsonObject:
    """References to the headers of every answer and those of `names`."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*OF_EVERY_ANSWER, *OF_V1, *names)}
