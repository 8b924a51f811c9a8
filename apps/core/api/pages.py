"""The pages beside the API: the tour, and what a problem's `type` leads to."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.views import SpectacularSwaggerSplitView

from apps.core.api.problems import only_safe
from apps.core.patterns import PATTERNS

PROBLEMS = {
    "bad_request": "The request cannot be read: malformed JSON, a NUL character, a host name that is not ours.",
    "parse_error": "The body is not a JSON object in UTF-8.",
    "invalid": "One or more values are refused; `errors` names each by a JSON pointer into the body.",
    "unknown_version": "The X-API-Version header names a version that this API does not have.",
    "not_authenticated": "The route needs a bearer token; get one at /api/v1/auth/token.",
    "invalid_token": "The token is malformed, expired, used or withdrawn; log in again.",
    "wrong_credentials": "The e-mail or the password is wrong.",
    "permission_denied": "The caller is known and may not do this.",
    "not_found": "There is no such thing, or the caller may not know of it.",
    "method_not_allowed": "The route has other methods; the Allow header lists them.",
    "conflict": "The change clashes with what is there.",
    "gone": "What the new thing would belong to, such as its owner, was deleted meanwhile; nothing was kept.",
    "email_taken": "Another user has this e-mail, in whatever letter case.",
    "last_staff": "The last active staff user can be neither deleted nor deactivated; make another one first.",
    "already_finished": "The job has ended and can no longer be cancelled.",
    "precondition_failed": "The thing was changed since it was read: read it again, decide anew.",
    "length_required": "The body came in chunks; send it with a Content-Length.",
    "content_too_large": "The body is larger than this service takes.",
    "unsupported_media_type": "The Content-Type header names a type that this route does not take.",
    "rate_limited": "Too many requests; Retry-After says in seconds when to come again.",
    "invalid_idempotency_key": "The Idempotency-Key header must have 1 to 255 printable ASCII characters.",
    "idempotency_in_flight": "The first request with this Idempotency-Key is still being worked on; try again.",
    "idempotency_key_reused": "The Idempotency-Key was used for another request; take a new key for a new request.",
    "internal_error": "An error of this service; the request id leads to it in the log.",
    "unavailable": "A part of this service does not answer; Retry-After says in seconds when to come again.",
}


@only_safe
def tour(request: HttpRequest) -> HttpResponse:
    """What this is, where to begin, and the twelve patterns."""
    return render(request, "core/tour.html", {"patterns": PATTERNS})


@only_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """What the problem `code` means."""
    if code not in PROBLEMS:
        raise Http404
    return render(request, "core/problem.html", {"code": code, "meaning": PROBLEMS[code]})


# split: the script that starts it is a file of its own, since the pages allow no inline script
documentation = only_safe(
    SpectacularSwaggerSplitView.as_view(url_name="schema", versioning_class=None, template_name="core/docs.html")
)
