"""Errors of the domain: what went wrong in the language of the use case, with no word of HTTP or SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class DomainError(Exception):
    """A use case refused; `code` is stable and read by machines, `str(error)` by people.

    The class says what the code means, in `meaning`, else in its docstring: that is the page at /problems/{code}.
    """

    meaning = "The service refused, for the reason that `detail` gives."

    code = "refused"


class NotFound(DomainError):
    """There is no such thing, or the caller may not know of it."""

    code = "not_found"


class NotAuthenticated(DomainError):
    """The caller's credentials are missing, wrong, expired or withdrawn."""

    code = "not_authenticated"


class NotAllowed(DomainError):
    """The caller is known and may not do this."""

    code = "permission_denied"


class Conflict(DomainError):
    """The change clashes with what is already there."""

    code = "conflict"


class Gone(Conflict):
    """What something new belongs to was deleted meanwhile: its owner, for example."""

    code = "gone"

    def __init__(self) -> None:
        super().__init__("What this belongs to was deleted meanwhile; nothing was kept.")


class VersionConflict(DomainError):
    """The thing was changed since the caller read it (optimistic locking)."""

    code = "precondition_failed"


class TooMany(DomainError):
    """A limit is reached; Retry-After says in seconds when to come again, as `retry_after` does here."""

    meaning = "A limit is reached; Retry-After says in seconds when to come again."

    code = "rate_limited"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with one value: where (a JSON pointer), a stable code and words for people."""

    pointer: str
    code: str
    detail: str


def pointer_step(name: str) -> str:
    """One step of a JSON pointer (RFC 6901): "/" and the name of a member."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


class Invalid(DomainError):
    """Values that the domain refuses, each with its place and reason."""

    code = "invalid"

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{p.pointer.lstrip('/') or 'input'}: {p.detail}" for p in problems))
        self.problems = problems


def together(*reads: Callable[[], Any]) -> list[Any]:
    """What each of `reads` returns. Raises Invalid with the problems of all that raise it, not only of the first."""
    values, problems = [], []
    for read in reads:
        try:
            values.append(read())
        except Invalid as error:
            problems += error.problems
    if problems:
        raise Invalid(problems)
    return values
