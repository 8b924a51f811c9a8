"""Conditional requests: strong ETags from version columns.

Source: RFC 9110, sections 8.8.3 and 13.1. If-Match compares strongly, so a weak tag never matches; If-None-Match
compares weakly.
"""

from __future__ import annotations

import re

from django.http import HttpResponse
from rest_framework.request import Request

from apps.core.errors import VersionConflict

ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def etag(*parts: object) -> str:
    """A strong entity tag of the representation's version and what else it depends on."""
    return '"' + "-".join(str(part) for part in parts) + '"'


def not_modified(request: Request, tag: str) -> HttpResponse | None:
    """The 304 for a read whose If-None-Match names `tag` or `*`, else None. Raises VersionConflict for If-Match."""
    check_if_match(request, tag)
    return HttpResponse(status=304, headers=cache_headers(tag)) if _ruled_out(request, tag) else None


def _ruled_out(request: Request, tag: str) -> bool:
    """Whether If-None-Match names `tag` or `*`."""
    given = request.META.get("HTTP_IF_NONE_MATCH")
    return given is not None and (given.strip() == "*" or tag in {quoted for _, quoted in ENTITY_TAG.findall(given)})


def check_change(request: Request, tag: str) -> bool:
    """Whether a change has If-Match. Raises VersionConflict if that or If-None-Match forbids it."""
    if _ruled_out(request, tag):
        raise VersionConflict("It is there, in the very version that If-None-Match rules out.")
    return check_if_match(request, tag)


def check_if_match(request: Request, tag: str) -> bool:
    """Whether the request has If-Match; raises VersionConflict if it names neither `tag` nor `*`."""
    given = request.META.get("HTTP_IF_MATCH")
    if given is None:
        return False
    if given.strip() != "*" and tag not in {quoted for weak, quoted in ENTITY_TAG.findall(given) if not weak}:
        raise VersionConflict("It was changed since you read it; read it again first.")
    return True


def cache_headers(tag: str) -> dict[str, str]:
    """Headers of an answer that depends on who asks and in which version."""
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Version"}
