"""The limit on failed attempts at a password or a code: the API's, the admin's, and wherever else one is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from apps.core.errors import TooMany
from apps.users.mailboxes import one_spelling
from apps.users.session_repositories import Attempt, DjangoAttempts

log = structlog.get_logger("sessions")


class LoginLimit:
    """Limits the failed attempts in a minute, of one address and of one e-mail."""

    def __init__(self, attempts: DjangoAttempts, per_minute: int) -> None:
        self._attempts = attempts
        self._per_minute = per_minute

    @contextmanager
    def attempt(self, email: str, address: str, *no_failures: type[Exception]) -> Iterator[None]:
        """Count the block as an attempt, and take it back unless it raises what is not one of `no_failures`.

        It is counted before it is made, so that racing ones cannot slip through. Attempts refused for their address
        count against no e-mail: otherwise they could lock others out. Raises TooMany.
        """
        attempt = Attempt(digest(f"address:{address}"), key_of_email(email))
        count, seconds = self._attempts.count(attempt, self._per_minute)
        if count > self._per_minute:
            log.warning("login_limited", seconds=seconds)
            raise TooMany(f"Too many failed logins; try again in {seconds} s.", max(seconds, 1))
        try:
            yield
        except no_failures:
            self._attempts.forget(attempt)
            raise
        self._attempts.forget(attempt)

    def prune(self) -> None:
        """Delete what no longer counts."""
        self._attempts.prune()


def key_of_email(email: str) -> str:
    """Under which failed attempts with `email` are counted."""
    return digest(f"email:{one_spelling(email).lower()}")


def digest(text: str) -> str:
    """What is kept in place of an address, an e-mail, a token or a code: its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()
