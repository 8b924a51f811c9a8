"""The routes that give out tokens."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from apps.core.api.components import documented
from apps.core.api.views import ApiView, run_once
from apps.core.http.client import client_network
from apps.core.http.renderers import json_answer
from apps.users.api.serializers import Credentials, RefreshBody, TokenAnswer
from apps.users.api.session_views import device_of
from apps.users.commands import LogIn, RefreshSession, TokenPair

# bytes that anybody may send without a token; the longest e-mail, name and password, every letter escaped, need half
OPEN_LIMIT = 16 * 1024


class OpenView(ApiView):
    """Open to anyone; an Authorization header is not looked at."""

    body_limit = OPEN_LIMIT
    keeps_refusals = True
    authentication_classes = ()
    permission_classes = (AllowAny,)
    problems: ClassVar = {"post": (401,)}
    sends: ClassVar = {"post": ("Cache-Control",)}

    def tokens(self, pair: TokenPair) -> HttpResponse:
        """The answer that carries the tokens of `pair`."""
        self.subject_id = pair.user_id
        body = {"access": pair.access, "refresh": pair.refresh, "token_type": "Bearer", "expires_in": pair.expires_in}
        return json_answer(body, headers={"Cache-Control": "no-store"})


class TokenObtain(OpenView):
    """Log in."""

    problems: ClassVar = {"post": (401, 403)}

    @run_once
    @documented(request=Credentials, responses={200: TokenAnswer}, operation_id="auth_token", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """A pair of tokens for an e-mail and a password; 401 `otp_required` asks for a code of the second factor."""
        given = self.valid(Credentials, request)
        who = (given["email"], client_network(request), given["password"], device_of(request))
        return self.tokens(self.bus.execute(LogIn(*who, given.get("otp", ""))))


class TokenRefresh(OpenView):
    """Go on with a login."""

    problems: ClassVar = {"post": (401, 403)}

    @run_once
    @documented(request=RefreshBody, responses={200: TokenAnswer}, operation_id="auth_token_refresh", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """A new pair for a refresh token, which is used up by it."""
        given = self.valid(RefreshBody, request)
        return self.tokens(self.bus.execute(RefreshSession(given["refresh"], device_of(request))))
