"""Who calls: bearer tokens (RFC 6750).

`ActiveUserAuthentication`, the default, asks the database whether the token's user is active: one statement. A view
whose own statement checks that anyway takes `TokenAuthentication`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.core.bus import bus
from apps.core.errors import NotAuthenticated
from apps.users.queries import Caller, GetCaller, ReadToken
from apps.users.tokens import Claims


def caller_id(request: HttpRequest) -> int | None:
    """The id in the request's bearer token if that is valid, for the rate limit and the log."""
    try:
        claims = claims_of(request)
    except NotAuthenticated:
        return None
    request.caller_id = claims.user_id if claims else None  # type: ignore[attr-defined] # read by the request log
    return claims.user_id if claims else None


def claims_of(request: HttpRequest | Request) -> Claims | None:
    """What the request's bearer token says; None without one. Raises InvalidToken."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return bus.ask(ReadToken(token.strip()))


def claims_given(request: Request) -> Claims:
    """What the token of an authenticated request says. Raises NotAuthenticated if there was none."""
    claims: Any = request.auth
    if not isinstance(claims, Claims):
        raise NotAuthenticated("This needs a bearer token; get one at /api/v1/auth/token.")
    return claims


class AuthenticationFailed(exceptions.AuthenticationFailed):
    """401 with the reason's own code."""

    def __init__(self, error: NotAuthenticated) -> None:
        super().__init__(str(error), error.code)


class TokenAuthentication(BaseAuthentication):
    """`request.user` is what the token claims; the view's own query must check that the user is active."""

    def authenticate(self, request: Request) -> tuple[Any, Claims] | None:
        try:
            claims = claims_of(request)
            return None if claims is None else (self.user(claims), claims)
        except NotAuthenticated as error:
            raise AuthenticationFailed(error) from error

    def user(self, claims: Claims) -> Any:
        return TokenUser(claims.user_id)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class TokenUser:
    """Whoever holds the token; not checked against the database yet."""

    is_authenticated = True

    def __init__(self, user_id: int) -> None:
        self.id = user_id


class ActiveUser(TokenUser):
    """A user who is active at this moment."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(caller.id)
        self.is_staff = caller.is_staff


class ActiveUserAuthentication(TokenAuthentication):
    """`request.user` is an ActiveUser."""

    def user(self, claims: Claims) -> ActiveUser:
        return ActiveUser(bus.ask(GetCaller(claims)))
