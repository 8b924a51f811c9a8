"""What a user's values must be; the same for the API, the admin, the command line and imports."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.core.errors import FieldProblem, Invalid
from apps.core.text import CONTROLS, INVISIBLE, has_controls, shows
from apps.users.mailboxes import local_part, one_spelling
from apps.users.models import EMAIL_LENGTH, NAME_LENGTH, User
from apps.users.passwords import prepared

# no control characters, and at least one that can be seen; `shows` is stricter than a pattern can be
NAME = f"^[^{CONTROLS}]*[^{CONTROLS}{INVISIBLE}][^{CONTROLS}]*$"


def email_problem(email: str) -> FieldProblem | None:
    """What is wrong with `email`, if anything."""
    if not email:
        return FieldProblem("/email", "required", "An e-mail address is needed, e.g. ada@example.com.")
    if len(email) > EMAIL_LENGTH:
        return FieldProblem("/email", "max_length", f"An e-mail address has up to {EMAIL_LENGTH} characters.")
    refusal = _no_mailbox(email)
    return FieldProblem("/email", "invalid", refusal) if refusal else None


def _no_mailbox(email: str) -> str:
    """Why mail cannot be sent to `email`; "" if it can."""
    if not email.isascii():
        return "An e-mail address has ASCII characters; a domain in others is spelt as punycode, xn--…."
    try:
        validate_email(email)
    except ValidationError:
        return "This is not an e-mail address, e.g. ada@example.com."
    if email.endswith("]"):
        return "An e-mail address names its host, e.g. ada@example.com, and not by an IP address."
    if has_controls(email) or not shows(local_part(email)):
        return "An e-mail address has letters that can be seen before its @, and no control characters."
    return ""


def name_problem(name: str) -> FieldProblem | None:
    """What is wrong with `name`, if anything."""
    if len(name) > NAME_LENGTH:
        return FieldProblem("/name", "max_length", f"A name has up to {NAME_LENGTH} characters.")
    if has_controls(name):
        return FieldProblem("/name", "invalid", "A name has no control characters.")
    if not shows(name):
        return FieldProblem("/name", "blank", "A name is needed, with a letter or a sign that can be seen.")
    return None


def password_problems(password: str, email: str, name: str) -> list[FieldProblem]:
    """What is wrong with `password` for this user, if anything."""
    try:
        validate_password(prepared(password), User(email=email, name=prepared(name)))
    except ValidationError as error:
        return [FieldProblem("/password", e.code or "invalid", str(e.messages[0])) for e in error.error_list]
    return []


def clean_email(email: str) -> str:
    """`email` as it is kept: trimmed, its domain in lower case, quoted only if it has to be."""
    return one_spelling(email)


def check(problems: list[FieldProblem | None]) -> None:
    """Raises Invalid with those of `problems` that are not None, if any."""
    found = [problem for problem in problems if problem]
    if found:
        raise Invalid(found)
