"""Django's session, CSRF, authentication and message middleware, which here work only under /admin/.

The API carries no cookies; each of these would cost it time on every request and mean nothing.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.middleware import csrf

PREFIX = "/admin/"


class AdminOnly:
    """Mixin: passes the request on untouched unless its path begins with /admin/."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc] # the next class in line is a MiddlewareMixin


class SessionMiddleware(AdminOnly, sessions.SessionMiddleware):
    """Sessions under /admin/."""


class CsrfViewMiddleware(AdminOnly, csrf.CsrfViewMiddleware):
    """CSRF protection under /admin/."""

    def process_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.path_info.startswith(PREFIX):
            return None
        return super().process_view(request, *args, **kwargs)


class AuthenticationMiddleware(AdminOnly, auth.AuthenticationMiddleware):
    """`request.user` from the session, under /admin/."""


class MessageMiddleware(AdminOnly, messages.MessageMiddleware):
    """Flash messages under /admin/."""
