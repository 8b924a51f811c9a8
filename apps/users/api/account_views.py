"""The routes of one's own account: passwords and addresses."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.core.api.views import ApiView, caller, run_once
from apps.core.http.client import client_network
from apps.users.account_commands import ChangePassword, ConfirmPasswordReset, RequestPasswordReset
from apps.users.api.account_bodies import NewPasswordBody, PasswordBody, ResetBody
from apps.users.api.authentication import claims_given
from apps.users.api.token_views import OPEN_LIMIT, OpenView


class AccountView(ApiView):
    """For any user, about themselves; a wrong password counts like a failed log-in."""

    body_limit = OPEN_LIMIT
    keeps_refusals = True
    problems: ClassVar = {"post": (403,)}


class LinkView(OpenView):
    """Open to anyone who has got a mail, or wants one."""

    sends: ClassVar[dict[str, Any]] = {}


class MailView(LinkView):
    """Answers everybody the same."""

    problems: ClassVar[dict[str, Any]] = {}


class PasswordChange(AccountView):
    """A new password for somebody who knows the old one."""

    @run_once
    @extend_schema(request=PasswordBody, responses={204: None}, operation_id="auth_password")
    def post(self, request: Request) -> HttpResponse:
        """Change the password; every other session ends, and a mail says so."""
        given = self.valid(PasswordBody, request)
        session_id, network = claims_given(request).session_id, client_network(request)
        user_id = caller(request).id
        self.bus.execute(ChangePassword(user_id, session_id, network, given["current"], given["new"]))
        return HttpResponse(status=204)


class PasswordReset(MailView):
    """A link for a new password."""

    @run_once
    @extend_schema(request=ResetBody, responses={202: None}, operation_id="auth_password_reset", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """Mail a link to the user with this address, if there is one; the answer is the same if there is none."""
        self.bus.execute(RequestPasswordReset(self.valid(ResetBody, request)["email"]))
        return HttpResponse(status=202)


class PasswordResetConfirm(LinkView):
    """A new password for somebody who has the link."""

    @run_once
    @extend_schema(request=NewPasswordBody, responses={204: None}, operation_id="auth_password_reset_confirm", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """Set the password with the token of the link, once; all sessions end, and a mail says so."""
        given = self.valid(NewPasswordBody, request)
        self.bus.execute(ConfirmPasswordReset(given["token"], given["password"]))
        return HttpResponse(status=204)
