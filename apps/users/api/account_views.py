"""The routes of one's own account: passwords and addresses."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from apps.core.api.components import documented
from apps.core.api.views import ApiView, caller, run_once
from apps.core.errors import NotAuthenticated
from apps.core.http.client import client_network
from apps.users.account_commands import (
    ChangePassword,
    ConfirmPasswordReset,
    RequestEmailChange,
    RequestPasswordReset,
    RequestVerification,
    UndoEmailChange,
    VerifyEmail,
)
from apps.users.api.account_bodies import EmailBody, NewPasswordBody, PasswordBody, ResendBody, ResetBody, TokenBody
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
    @documented(request=PasswordBody, responses={204: None}, operation_id="auth_password")
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
    @documented(request=ResetBody, responses={202: None}, operation_id="auth_password_reset", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """Mail a link to the user with this address, if there is one; the answer is the same if there is none."""
        self.bus.execute(RequestPasswordReset(self.valid(ResetBody, request)["email"]))
        return HttpResponse(status=202)


class PasswordResetConfirm(LinkView):
    """A new password for somebody who has the link."""

    @run_once
    @documented(request=NewPasswordBody, responses={204: None}, operation_id="auth_password_reset_confirm", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """Set the password with the token of the link, once; all sessions end, and a mail says so."""
        given = self.valid(NewPasswordBody, request)
        self.bus.execute(ConfirmPasswordReset(given["token"], given["password"]))
        return HttpResponse(status=204)


class EmailVerification(LinkView):
    """An address is shown to be its user's."""

    @run_once
    @documented(request=TokenBody, responses={204: None}, operation_id="auth_email_verification", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """Verify the address, or make the change of it, that the link of a mail is about."""
        self.bus.execute(VerifyEmail(self.valid(TokenBody, request)["token"]))
        return HttpResponse(status=204)


class EmailVerificationResend(ApiView):
    """Another link that verifies an address."""

    permission_classes = (AllowAny,)
    body_limit = OPEN_LIMIT
    keeps_refusals = True
    needs_body = False

    @run_once
    @documented(request=ResendBody, responses={202: None}, operation_id="auth_email_verification_resend")
    def post(self, request: Request) -> HttpResponse:
        """Mail another link to the caller, or to the user with this address: whoever cannot log in has no token.

        The answer is the same if there is no such user, or if the address is verified already.
        """
        email = self.valid(ResendBody, request).get("email") if self.take_body(request).size else None
        user_id = getattr(request.user, "id", None)
        if email is None and user_id is None:
            raise NotAuthenticated("This needs a bearer token, or the e-mail in the body.")
        self.bus.execute(RequestVerification(email=email) if email is not None else RequestVerification(user_id))
        return HttpResponse(status=202)


class EmailChange(AccountView):
    """Another address."""

    @run_once
    @documented(request=EmailBody, responses={202: None}, operation_id="auth_email")
    def post(self, request: Request) -> HttpResponse:
        """Mail a link to the new address; once it is confirmed, the old one is told, and can undo it for 72 hours."""
        given, network = self.valid(EmailBody, request), client_network(request)
        self.bus.execute(RequestEmailChange(caller(request).id, network, given["email"], given["password"]))
        return HttpResponse(status=202)


class EmailUndo(LinkView):
    """The old address is the user's again."""

    @run_once
    @documented(request=TokenBody, responses={204: None}, operation_id="auth_email_undo", auth=[])
    def post(self, request: Request) -> HttpResponse:
        """Undo a change of the address; the password and every session end, and a mail lets the user choose anew."""
        self.bus.execute(UndoEmailChange(self.valid(TokenBody, request)["token"]))
        return HttpResponse(status=204)
