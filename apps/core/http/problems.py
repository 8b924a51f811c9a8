"""Errors over HTTP: one shape, `application/problem+json`, from every layer.

Source: RFC 9457, https://www.rfc-editor.org/rfc/rfc9457.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import is_valid_path
from django.utils.cache import patch_vary_headers
from django.utils.encoding import escape_uri_path
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.views import set_rollback

from apps.core import errors
from apps.core.context import request_id
from apps.core.errors import FieldProblem, pointer_step
from apps.core.http.refusals import BadRequest, ContentTooLarge, InternalError, MethodNotAllowed, Unavailable
from apps.core.outages import is_outage, sqlstate

log = structlog.get_logger("problems")
CONTENT_TYPE = "application/problem+json"
# where people with browsers are, and errors are pages
FOR_PEOPLE = ("/admin/", "/account/")
# where programs may come by, too: an error is a page for who would rather have HTML
FOR_BOTH = ("/patterns/", "/code/", "/problems/", "/dev/mail/", "/api/docs/", "/tour/")

STATUS_OF: dict[type[errors.DomainError], int] = {
    errors.NotFound: 404,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.Conflict: 409,
    errors.VersionConflict: 412,
    errors.TooMany: 429,
    errors.Invalid: 400,
}
CODE_OF_STATUS = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
    503: "unavailable",
}


def problem(
    request: HttpRequest | Request,
    status: int,
    code: str,
    detail: str,
    *,
    problems: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The answer for an error: `code` is stable and for machines, `detail` says to a person what to put right."""
    body: dict[str, Any] = {
        "type": _type_uri(request, code),
        "title": title(status),
        "status": status,
        "detail": detail,
        "instance": "/" + escape_uri_path(request.path).lstrip("/"),
        "code": code,
        "request_id": request_id(),
    }
    if problems:
        body["errors"] = [asdict(p) for p in problems]
    return HttpResponse(orjson.dumps(body), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))


def _type_uri(request: HttpRequest | Request, code: str) -> str:
    try:
        return request.build_absolute_uri(f"/problems/{code}")
    except DisallowedHost:
        return f"/problems/{code}"


def title(status: int) -> str:
    """The phrase for `status` (RFC 9110); Python 3.11 still has the old ones for two."""
    return {413: "Content Too Large", 422: "Unprocessable Content"}.get(status) or HTTPStatus(status).phrase


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's hook: the problem for any error that a view raised; None (a 500, logged) for an unexpected one."""
    set_rollback()
    request: Request = context["request"]
    match error:
        case errors.DomainError():
            return _from_domain(request, error)
        case exceptions.APIException():
            return _from_drf(request, error)
        case _ if is_outage(error):
            return database_away(request, error)
        case RequestDataTooBig() | Http404() | PermissionDenied():
            return from_django(request, error)
    return None


def from_django(request: HttpRequest | Request, error: Exception) -> HttpResponse:
    """The problem for an error of Django's own."""
    match error:
        case RequestDataTooBig():
            return _from_drf(request, ContentTooLarge(settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
        case Http404():
            return _from_domain(request, errors.NotFound(f"There is nothing at {request.path}."))
        case DisallowedHost():
            return _from_drf(request, BadRequest("This service does not answer for that host name."))
        case PermissionDenied():
            return _from_domain(request, errors.NotAllowed("You may not do this."))
    return _from_drf(request, BadRequest())


def database_away(request: HttpRequest | Request, error: BaseException) -> HttpResponse:
    """503: the database did not answer, gave up, or went away in the middle; the request may be repeated."""
    log.warning("database_unavailable", error=str(error).strip(), sqlstate=sqlstate(error))
    return _from_drf(request, Unavailable())


def _from_domain(request: HttpRequest | Request, error: errors.DomainError) -> HttpResponse:
    status = next(status for cls, status in STATUS_OF.items() if isinstance(error, cls))
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="api"'
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(error.retry_after)
    problems = error.problems if isinstance(error, errors.Invalid) else ()
    return problem(request, status, error.code, str(error), problems=problems, headers=headers)


def _from_drf(request: HttpRequest | Request, error: exceptions.APIException) -> HttpResponse:
    headers: dict[str, str] = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header + (
            ', error="invalid_token"' if str(error.get_codes()) == "invalid_token" else ""
        )
    if error.status_code in (409, 429, 503) and (wait := getattr(error, "wait", None)):
        headers["Retry-After"] = str(wait)
    if isinstance(error, exceptions.MethodNotAllowed):
        view = (getattr(request, "parser_context", None) or {}).get("view")
        headers["Allow"] = ", ".join(view.allowed_methods) if view else "GET, HEAD"
    if isinstance(error, exceptions.ValidationError):
        problems = flatten(error.detail)
        detail = "; ".join(f"{p.pointer.lstrip('/') or 'body'}: {p.detail}" for p in problems)
        return problem(request, 400, "invalid", detail, problems=problems)
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else "bad_request"
    code = CODE_OF_STATUS.get(error.status_code, code) if code in DRF_CODES else code
    return problem(request, error.status_code, code, str(error.detail), headers=headers)


# DRF's own codes that ours replace, since ours name the status better
DRF_CODES = {"error", "authentication_failed", "not_authenticated", "not_found", "method_not_allowed"}


def flatten(detail: Any, pointer: str = "") -> list[FieldProblem]:
    """DRF's nested validation errors as a flat list with JSON pointers (RFC 6901) into the body."""
    if isinstance(detail, Mapping):
        found: list[FieldProblem] = []
        for key, inner in detail.items():
            step = "" if key == "non_field_errors" else pointer_step(str(key))
            found += flatten(inner, pointer + step)
        return found
    if isinstance(detail, list):
        if all(isinstance(item, str) for item in detail):
            return [FieldProblem(pointer, getattr(item, "code", "invalid"), str(item)) for item in detail]
        return [p for index, item in enumerate(detail) for p in flatten(item, f"{pointer}/{index}")]
    return [FieldProblem(pointer, getattr(detail, "code", "invalid"), str(detail))]


def page_or_problem(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """`answer`, made into a page if it is for people."""
    if request.path_info.startswith(FOR_BOTH):
        patch_vary_headers(answer, ["Accept"])
        if request.get_preferred_type([CONTENT_TYPE, "text/html"]) != "text/html":
            return answer
    elif not request.path_info.startswith(FOR_PEOPLE):
        return answer
    context = orjson.loads(answer.content)
    page = render(request, "core/error.html", context, status=answer.status_code)
    for name in ("Retry-After", "Vary"):
        if name in answer:
            page[name] = answer[name]
    return page


def _with_the_other_slash(request: HttpRequest) -> str:
    """The page that is there under the same address but for the slash at its end; empty if there is none."""
    path = request.path_info
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    for_people = f"{path.rstrip('/')}/".startswith(FOR_PEOPLE + FOR_BOTH)
    if request.resolver_match or request.method not in ("GET", "HEAD") or not (for_people and is_valid_path(other)):
        return ""
    query = request.META.get("QUERY_STRING", "")
    return escape_uri_path(other) + (f"?{query}" if query else "")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400: a host that is not ours, a body too large, a request it finds suspicious."""
    return page_or_problem(request, from_django(request, exception or Exception()))


def too_large(request: HttpRequest, limit: int) -> HttpResponse:
    """413 for a body of more than `limit` bytes."""
    return page_or_problem(request, _from_drf(request, ContentTooLarge(limit)))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler403."""
    return page_or_problem(request, from_django(request, PermissionDenied()))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404: no such route. A page is found without its slash, or with one too many, as well."""
    if there := _with_the_other_slash(request):
        return HttpResponseRedirect(there)
    return page_or_problem(request, from_django(request, Http404()))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: the log has the reason under the request's id; the answer has none of it."""
    error = sys.exc_info()[1]
    if error is not None and is_outage(error):
        return page_or_problem(request, database_away(request, error))
    return page_or_problem(request, _from_drf(request, InternalError()))


def only_safe(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator for plain Django views: GET and HEAD, else a 405 like the API's."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        return _from_drf(request, MethodNotAllowed(request.method or ""))

    return guarded
