"""Links in mails: signed tokens, each for one purpose, that nothing has to keep.

A token names a row and the moment it was made, and holds a keyed digest of what it depends on: if that has changed
since, the token is dead. So the first use, which changes it, is also the last.
Source: https://docs.djangoproject.com/en/5.2/topics/signing/; the idea is that of Django's PasswordResetTokenGenerator,
but by the database's clock, since processes may differ, and for other things than passwords.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.users.errors import DeadLink

TOKEN_LENGTH = 512
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Purpose(StrEnum):
    """What a link is for; also the path of this service's own page for it."""

    RESET = "password-reset"
    VERIFY = "email-verification"
    CHANGE = "email-change"
    UNDO = "email-undo"


LIFETIMES = {
    Purpose.RESET: timedelta(hours=1),
    Purpose.VERIFY: timedelta(hours=72),
    Purpose.CHANGE: timedelta(hours=24),
    Purpose.UNDO: timedelta(hours=72),
}


@dataclass(frozen=True)
class Link:
    """What a genuine token says: the key of the row it is about, and when it was made."""

    key: int
    made_at: datetime
    digest: str


class Links:
    """Makes and reads tokens, and puts them into `addresses`: a URL with `{token}` in it for each purpose.

    Tokens signed with one of `fallbacks` are read too.
    """

    def __init__(self, secret: str, addresses: dict[Purpose, str], fallbacks: Sequence[str] = ()) -> None:
        self._keys = (secret, *fallbacks)
        self._addresses = addresses

    def token(self, purpose: Purpose, key: int, state: Sequence[str], now: datetime) -> str:
        """A token about the row `key`, made at `now`, that dies as soon as `state` is another one."""
        said = {"k": key, "t": (now - EPOCH) // timedelta(microseconds=1), "d": _digest(self._keys[0], purpose, state)}
        return self._signer(purpose).sign_object(said)

    def address(self, purpose: Purpose, key: int, state: Sequence[str], now: datetime) -> str:
        """The address that leads to the page for such a token."""
        return self._addresses[purpose].replace("{token}", self.token(purpose, key, state, now))

    def read(self, purpose: Purpose, token: str) -> Link:
        """What `token` says. Raises DeadLink for anything that this service has not signed for `purpose`."""
        if len(token) > TOKEN_LENGTH:
            raise DeadLink
        try:
            said: Any = self._signer(purpose).unsign_object(token)
        except (BadSignature, ValueError):
            raise DeadLink from None
        return Link(said["k"], EPOCH + timedelta(microseconds=said["t"]), said["d"])

    def is_for(self, purpose: Purpose, token: str) -> bool:
        """Whether this service has signed `token` for `purpose`."""
        try:
            self.read(purpose, token)
        except DeadLink:
            return False
        return True

    def check(self, purpose: Purpose, link: Link, state: Sequence[str], now: datetime) -> None:
        """Raises DeadLink if the link has expired by `now`, or was made for another state."""
        fits = any(constant_time_compare(link.digest, _digest(key, purpose, state)) for key in self._keys)
        if not fits or now - link.made_at >= LIFETIMES[purpose]:
            raise DeadLink

    def _signer(self, purpose: Purpose) -> Signer:
        return Signer(key=self._keys[0], fallback_keys=list(self._keys[1:]), salt=f"users.links.{purpose}", sep=".")


def _digest(key: str, purpose: Purpose, state: Sequence[str]) -> str:
    # as a list, so that no two states read the same
    digest = salted_hmac(f"users.links.{purpose}.state", repr(list(state)), secret=key, algorithm="sha256")
    return digest.hexdigest()[:32]
