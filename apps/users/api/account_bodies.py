"""The bodies of the routes of one's own account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core.api.components import example
from apps.core.api.fields import Body, Text
from apps.core.errors import FieldProblem
from apps.users import rules
from apps.users.api.serializers import PASSWORD_LENGTH, EmailGiven, NewPassword
from apps.users.links import TOKEN_LENGTH

TOKEN = "eyJrIjo3LCJ0IjoxNzY0MTUwMDAwfQ.c2lnbmF0dXJl"  # noqa: S105 - an example
CURRENT, NEW = "correct horse battery", "quite another phrase"


def email_problems(values: Mapping[str, Any]) -> list[FieldProblem]:
    """What is wrong with the e-mail of a body, if it has one."""
    problem = rules.email_problem(rules.clean_email(values["email"])) if "email" in values else None
    return [problem] if problem else []


@example({"current": CURRENT, "new": NEW})
class PasswordBody(Body):
    """The body of POST /auth/password."""

    current = Text(max_length=PASSWORD_LENGTH, trim_whitespace=False)
    new = NewPassword(max_length=PASSWORD_LENGTH, trim_whitespace=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with the new password by itself; the service also looks at whose it is to be."""
        found = rules.password_problems(values["new"], "", "") if "new" in values else []
        return [FieldProblem("/new", problem.code, problem.detail) for problem in found]


@example({"email": "ada@example.com"})
class ResetBody(Body):
    """The body of POST /auth/password-reset."""

    email = EmailGiven()

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with the address."""
        return email_problems(values)


@example({"email": "ada@example.com"})
class ResendBody(Body):
    """The body of POST /auth/email-verification/resend; without `email` it is about the caller."""

    email = EmailGiven(required=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with the address."""
        return email_problems(values)


@example({"token": TOKEN})
class TokenBody(Body):
    """The body of a route that a link leads to."""

    token = Text(max_length=TOKEN_LENGTH, trim_whitespace=False)


@example({"email": "ada@example.org", "password": CURRENT})
class EmailBody(Body):
    """The body of POST /auth/email."""

    email = EmailGiven()
    password = Text(max_length=PASSWORD_LENGTH, trim_whitespace=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with the address."""
        return email_problems(values)


@example({"token": TOKEN, "password": NEW})
class NewPasswordBody(Body):
    """The body of POST /auth/password-reset/confirm."""

    token = Text(max_length=TOKEN_LENGTH, trim_whitespace=False)
    password = NewPassword(max_length=PASSWORD_LENGTH, trim_whitespace=False)

    def rules(self, values: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with the password by itself."""
        return rules.password_problems(values["password"], "", "") if "password" in values else []
