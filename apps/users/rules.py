"""What a user's values must be; the same for the API, the admin, the command line and imports."""

from __future__ import annotations

import re

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.core.errors import FieldProblem, Invalid
from apps.users.models import EMAIL_LENGTH, NAME_LENGTH, User
from apps.users.passwords import prepared

CONTROLS = r"\u0000-\u001f\u007f-\u009f"
# white space, and what shows nothing: soft hyphens, joiners, marks of direction, the byte order mark
INVISIBLE = r"\s\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
# no control characters, and at least one that can be seen; for ECMAScript, as JSON Schema has it, and Python alike
NAME = f"^[^{CONTROLS}]*[^{CONTROLS}{INVISIBLE}][^{CONTROLS}]*$"
_NAME, _CONTROL = re.compile(NAME), re.compile(f"[{CONTROLS}]")


def email_problem(email: str) -> FieldProblem | None:
    """What is wrong with `email`, if anything."""
    if not email:
        return FieldProblem("/email", "required", "An e-mail address is needed, e.g. ada@example.com.")
    if len(email) > EMAIL_LENGTH:
        return FieldProblem("/email", "max_length", f"An e-mail address has up to {EMAIL_LENGTH} characters.")
    if not email.isascii():
        detail = "An e-mail address has ASCII characters; a domain in others is spelt as punycode, xn--…."
        return FieldProblem("/email", "invalid", detail)
    try:
        validate_email(email)
    except ValidationError:
        return FieldProblem("/email", "invalid", "This is not an e-mail address, e.g. ada@example.com.")
    return None


def name_problem(name: str) -> FieldProblem | None:
    """What is wrong with `name`, if anything."""
    if len(name) > NAME_LENGTH:
        return FieldProblem("/name", "max_length", f"A name has up to {NAME_LENGTH} characters.")
    if _NAME.fullmatch(name):
        return None
    if _CONTROL.search(name):
        return FieldProblem("/name", "invalid", "A name has no control characters.")
    return FieldProblem("/name", "blank", "A name is needed.")


def password_problems(password: str, email: str, name: str) -> list[FieldProblem]:
    """What is wrong with `password` for this user, if anything."""
    try:
        validate_password(prepared(password), User(email=email, name=prepared(name)))
    except ValidationError as error:
        return [FieldProblem("/password", e.code or "invalid", str(e.messages[0])) for e in error.error_list]
    return []


def clean_email(email: str) -> str:
    """`email` as it is kept: trimmed, its domain in lower case."""
    return BaseUserManager.normalize_email(email.strip())


def check(problems: list[FieldProblem | None]) -> None:
    """Raises Invalid with those of `problems` that are there."""
    found = [problem for problem in problems if problem]
    if found:
        raise Invalid(found)
