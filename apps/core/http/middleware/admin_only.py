"""Django's session, CSRF, authentication and message middleware, which here work only under /admin/, or for people.

The API carries no cookies; each of these would cost it time on every request and mean nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.middleware import csrf

from apps.core.http.problems import FOR_PEOPLE

PREFIX = "/admin/"


class AdminOnly:
    """Mixin: passes the request on untouched unless its path begins with one of `prefixes`."""

    get_response: Any
    prefixes: ClassVar[tuple[str, ...]] = (PREFIX,)

    def __call__(self, request: HttpRequest) -> Any:
        if not request.path_info.startswith(self.prefixes):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc] # the next class in line is a MiddlewareMixin


class SessionMiddleware(AdminOnly, sessions.SessionMiddleware):
    """Sessions under /admin/."""


class CsrfViewMiddleware(AdminOnly, csrf.CsrfViewMiddleware):
    """CSRF protection of all forms: of the admin, and of the pages that links in mails lead to."""

    prefixes = FOR_PEOPLE

    def process_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.path_info.startswith(self.prefixes):
            return None
        return super().process_view(request, *args, **kwargs)


class AuthenticationMiddleware(AdminOnly, auth.AuthenticationMiddleware):
    """`request.user` from the session, under /admin/."""


class MessageMiddleware(AdminOnly, messages.MessageMiddleware):
    """Flash messages under /admin/."""
