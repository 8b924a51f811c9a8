"""The routes of the caller's second factor."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from apps.core.api.components import documented
from apps.core.api.underlying import django_request
from apps.core.api.views import ApiView, caller, run_once
from apps.core.http.client import client_network
from apps.core.http.renderers import json_answer
from apps.users.api.authentication import claims_given
from apps.users.api.serializers import OtpCode, RecoveryAnswer, TotpAnswer
from apps.users.api.token_views import OPEN_LIMIT
from apps.users.factor_commands import BeginTotp, ConfirmTotp, RemoveTotp
from apps.users.qr import svg

NEVER_KEPT = {"Cache-Control": "no-store"}


class Totp(ApiView):
    """The second factor: its beginning and its end."""

    body_limit = OPEN_LIMIT
    deletes_by_body = True
    problems: ClassVar = {"post": (409,), "delete": (403, 409)}
    answers: ClassVar = {"post": lambda version: {200: TotpAnswer}, "delete": lambda version: {204: None}}
    sends: ClassVar = {"post": ("Cache-Control",)}

    @run_once
    @documented(request=None, operation_id="auth_totp_begin")
    def post(self, request: Request) -> HttpResponse:
        """Draw a secret for an authenticator app; it counts once a code of it is confirmed."""
        self.no_body(request)
        # the kept answer to a repeat, which is encrypted, goes as soon as the secret is confirmed
        self.subject_id = caller(request).id
        drawn = self.bus.execute(BeginTotp(caller(request).id))
        return json_answer({"secret": drawn.secret, "uri": drawn.uri, "qr": svg(drawn.uri)}, headers=NEVER_KEPT)

    @documented(request=OtpCode, operation_id="auth_totp_remove")
    def delete(self, request: Request) -> HttpResponse:
        """Remove the second factor, by a code or a recovery code; every other session ends."""
        code = self.valid(OtpCode, request)["code"]
        where = (client_network(django_request(request)), claims_given(request).session_id)
        self.bus.execute(RemoveTotp(caller(request).id, code, *where))
        return HttpResponse(status=204)


class TotpConfirm(ApiView):
    """The second factor comes into force."""

    body_limit = OPEN_LIMIT
    # failed attempts count
    keeps_refusals = True
    problems: ClassVar = {"post": (403,)}
    answers: ClassVar = {"post": lambda version: {200: RecoveryAnswer}}
    sends: ClassVar = {"post": ("Cache-Control",)}

    @run_once
    @documented(request=OtpCode, operation_id="auth_totp_confirm")
    def post(self, request: Request) -> HttpResponse:
        """Confirm the secret by a code of it: from now on a log-in needs one. Every other session ends."""
        self.subject_id = caller(request).id
        code = self.valid(OtpCode, request)["code"]
        where = (client_network(django_request(request)), claims_given(request).session_id)
        codes = self.bus.execute(ConfirmTotp(caller(request).id, code, *where))
        return json_answer({"recovery_codes": codes}, headers=NEVER_KEPT)
