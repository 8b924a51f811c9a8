"""API versioning: by path (`/api/v2/users`), by header (`X-API-Version: v2` on `/api/users`), else the default.

One view serves every version, which differ only in the module v1, v2, … that represents what the view has read. v1 can
be announced as deprecated (RFC 9745) with the day it ends (RFC 8594).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.versioning import NamespaceVersioning

HEADER = "X-API-Version"
# v1 counts as deprecated from the day its successor came out
V2_RELEASED = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp())
PATH = re.compile(r"/api/(v[0-9]+)(?:/|$)")


class UnknownVersion(exceptions.APIException):
    """The header names a version that this API does not have."""

    status_code = 400
    default_code = "unknown_version"

    def __init__(self, asked: str) -> None:
        known = ", ".join(api_settings.ALLOWED_VERSIONS or ())
        super().__init__(f"{HEADER} must be one of {known}; the request says {asked[:20]!r}.")


class NamespaceOrHeaderVersioning(NamespaceVersioning):
    """DRF's versioning by URL namespace; if the URL has none, the header decides, else DEFAULT_VERSION."""

    def determine_version(self, request: Request, *args: Any, **kwargs: Any) -> str:
        """The version of `request`. Raises UnknownVersion for a header that names no known one."""
        match = getattr(request, "resolver_match", None)
        namespace = match.namespace if match else ""
        if namespace in (self.allowed_versions or ()):
            return str(namespace)
        asked = request.headers.get(HEADER)
        if asked is None:
            return str(self.default_version)
        if asked not in (self.allowed_versions or ()):
            raise UnknownVersion(asked)
        return str(asked)


def is_api(request: HttpRequest) -> bool:
    """Whether the path is the API's, `/api` itself included."""
    return request.path_info.startswith("/api/") or request.path_info == "/api"


def version_said(request: HttpRequest) -> str:
    """The version that the answer to `request` names, errors and unknown routes included."""
    allowed = api_settings.ALLOWED_VERSIONS or ()
    in_path = PATH.match(request.path_info)
    asked = in_path.group(1) if in_path else request.headers.get(HEADER, "")
    return asked if asked in allowed else str(api_settings.DEFAULT_VERSION)


class VersionMiddleware:
    """Puts the version on every API answer, and on v1's the announcement that it ends on the day `sunset`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse], sunset: date | None = None) -> None:
        self.get_response = get_response
        self.announcement: dict[str, str] = {}
        if sunset:
            end = int(datetime(sunset.year, sunset.month, sunset.day, tzinfo=UTC).timestamp())
            self.announcement = {"Deprecation": f"@{min(V2_RELEASED, end)}", "Sunset": http_date(end)}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_api(request):
            version = version_said(request)
            response.headers[HEADER] = version
            if version == "v1" and self.announcement:
                for name, value in self.announcement.items():
                    response.headers[name] = value
                successor = re.sub(r"^/api/(v1/)?", "/api/v2/", request.get_full_path())
                _add_link(response, f'<{successor}>; rel="successor-version"')
        return response


def _add_link(response: HttpResponse, link: str) -> None:
    existing = response.headers.get("Link")
    response.headers["Link"] = f"{existing}, {link}" if existing else link
