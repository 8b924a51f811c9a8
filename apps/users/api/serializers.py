"""The bodies of requests about users, in every version, and the tokens' answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.components import example
from apps.core.api.fields import Body, Flag, Text
from apps.core.errors import FieldProblem
from apps.users import rules
from apps.users.models import EMAIL_LENGTH, NAME_LENGTH

PASSWORD_LENGTH = 128
# as a URI has it
ISSUER = quote(f"{settings.PRODUCT_NAME} API", safe="")
# a recovery code, with whatever people put between its letters
CODE_LENGTH = 64
# 8 characters and "not only digits" are rules of AUTH_PASSWORD_VALIDATORS, which also refuse common passwords
NEW_PASSWORD = {
    "type": "string",
    "format": "password",
    "maxLength": PASSWORD_LENGTH,
    "pattern": r"^(?=[^\u0000]*[^0-9\u0000])[^\u0000]{8,}$",
    "writeOnly": True,
}


@extend_schema_field({"type": "string", "format": "email", "maxLength": EMAIL_LENGTH})
class EmailGiven(Text):
    """An e-mail address in a body; whether it is one decides apps/users/rules.py, for every entrance alike."""


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": NAME_LENGTH, "pattern": rules.NAME})
class NameGiven(Text):
    """A name in a body; apps/users/rules.py decides."""


@extend_schema_field(NEW_PASSWORD)
class NewPassword(Text):
    """A new password; AUTH_PASSWORD_VALIDATORS decide."""


def _name_problem(values: Mapping[str, Any]) -> list[FieldProblem | None]:
    return [rules.name_problem(values["name"])] if "name" in values else []


@example({"email": "ada@example.com", "name": "Ada Lovelace", "password": "correct horse battery"})
class NewUser(Body):
    """The body of POST /users."""

    email = EmailGiven()
    name = NameGiven(trim_whitespace=False)
    password = NewPassword(required=False, max_length=PASSWORD_LENGTH, trim_whitespace=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with each, and with the password for this user."""
        email, name = rules.clean_email(values.get("email", "")), values.get("name", "")
        found = [rules.email_problem(email)] if "email" in values else []
        found += _name_problem(values)
        if "password" in values:
            found += rules.password_problems(values["password"], email, name)
        return [problem for problem in found if problem]


@example({"name": "Ada King"})
class UserChanges(Body):
    """The body of PATCH /users/{id}; `is_active` is for staff."""

    name = NameGiven(required=False, trim_whitespace=False)
    is_active = Flag(required=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with the name."""
        return [problem for problem in _name_problem(values) if problem]


@example({"email": "ada@example.com", "password": "correct horse battery"})
class Credentials(Body):
    """The body of POST /auth/token; `otp` is a code of the second factor, or a recovery code, if there is one."""

    email = Text(max_length=EMAIL_LENGTH, trim_whitespace=False)
    password = Text(max_length=PASSWORD_LENGTH, trim_whitespace=False)
    otp = Text(required=False, max_length=CODE_LENGTH)


@example({"password": "correct horse battery"})
class Leaving(Body):
    """The body of DELETE /users/me; `otp` is for accounts with a second factor."""

    password = Text(max_length=PASSWORD_LENGTH, trim_whitespace=False)
    otp = Text(required=False, max_length=CODE_LENGTH)


@example({"refresh": "vS2n4pXyq1k0dH7m"})
class RefreshBody(Body):
    """The body of POST /auth/token/refresh."""

    refresh = Text(max_length=512, trim_whitespace=False)


@example(
    {
        "access": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "refresh": "vS2n4pXyq1k0dH7m",
        "token_type": "Bearer",
        "expires_in": 1800,
    }
)
class TokenAnswer(serializers.Serializer[Any]):
    """A pair of tokens; `expires_in` is the access token's life in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField()


SESSION = {
    "id": "8f14e45f-ceea-467f-a8d2-8c0d9d1c2b3a",
    "created_at": "2026-11-24T09:00:00Z",
    "last_used_at": "2026-11-25T17:30:00Z",
    "expires_at": "2026-12-08T09:00:00Z",
    "network": "203.0.113.0/24",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "current": True,
}


@example(SESSION)
class SessionAnswer(serializers.Serializer[Any]):
    """A log-in of the caller: when it was last refreshed, from where (/24 or /48) and by what, if that is known."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    network = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField(allow_null=True)
    current = serializers.BooleanField()


@example({"results": [SESSION]})
class SessionList(serializers.Serializer[Any]):
    """The caller's sessions, newest first."""

    results = SessionAnswer(many=True)


@example({"code": "287082"})
class OtpCode(Body):
    """A code of the second factor."""

    code = Text(max_length=CODE_LENGTH)


@example(
    {
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "uri": f"otpauth://totp/{ISSUER}:ada%40example.com?digits=6&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        f"&algorithm=SHA1&issuer={ISSUER}&period=30",
        "qr": '<svg xmlns="http://www.w3.org/2000/svg" width="228" height="228"><path d="M0 0h57v57h-57z"/></svg>',
    }
)
class TotpAnswer(serializers.Serializer[Any]):
    """What an authenticator app is given: the secret, the otpauth address, and that as a QR code (an SVG element)."""

    secret = serializers.CharField()
    uri = serializers.CharField()
    qr = serializers.CharField()


@example({"recovery_codes": ["mfrg-gzdf-mztw-q2lk", "nnwg-23tp-obyx-e43u"]})
class RecoveryAnswer(serializers.Serializer[Any]):
    """Ten codes, each good for one log-in without the app; shown this once."""

    recovery_codes = serializers.ListField(child=serializers.CharField())
