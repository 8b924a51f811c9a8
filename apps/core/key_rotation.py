"""Replacing SECRET_KEY: what is kept encrypted is encrypted again, so that the old key can go.

An app says what it keeps with `keep`, in its AppConfig.ready(). What is only signed (tokens, links, log-ins) runs out
by itself, and is verified with SECRET_KEY_FALLBACKS until then: an app says how long that takes with `sign_for`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import Model
from django.db.models.functions import Now

from apps.core.bus import Command, Query
from apps.core.crypto import Box, Unreadable

BATCH = 500
# of the ids of rows that no key opens
NAMED = 100


@dataclass(frozen=True)
class Kept:
    """The texts in `field` of `model` that a Box for `purpose` has closed; empty ones do not count.

    `until` names a field with the time after which nobody opens the text any more.
    """

    what: str
    purpose: str
    model: type[Model]
    field: str
    until: str = ""


@dataclass(frozen=True)
class Signed:
    """What is signed with SECRET_KEY, and after how long the last of it has run out; None: its holders trade it in."""

    what: str
    lifetime: timedelta | None


@dataclass(frozen=True)
class Rotated:
    """How it went with one Kept: how many texts were encrypted again, how many no key opens, and the first of those."""

    what: str
    renewed: int
    lost: int
    unreadable: tuple[Any, ...]


@dataclass(frozen=True)
class RotateKeys(Command[list[Rotated]]):
    """Encrypt everything that is kept with the current key; answers how it went, for each kind of thing."""

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class GetSigned(Query[list[Signed]]):
    """Everything that is signed, the longest-lived first."""


_kept: list[Kept] = []
_signed: dict[str, Callable[[], timedelta] | None] = {}


def keep(kept: Kept) -> None:
    """Have `kept` encrypted again when SECRET_KEY is replaced."""
    _kept.append(kept)


def sign_for(what: str, lifetime: Callable[[], timedelta] | None) -> None:
    """Have an earlier SECRET_KEY stay until `what` it signed has run out; `lifetime` is asked when that is wanted."""
    _signed[what] = lifetime


def get_signed(query: GetSigned) -> list[Signed]:
    """Everything that is signed."""
    signed = [Signed(what, lifetime and lifetime()) for what, lifetime in _signed.items()]
    return sorted(signed, key=lambda one: (one.lifetime is None, -(one.lifetime or timedelta()), one.what))


class KeyRotation:
    """Handler of RotateKeys."""

    def __init__(self, secret_key: str, fallbacks: Sequence[str]) -> None:
        self._secret_key = secret_key
        self._fallbacks = fallbacks

    def rotate(self, command: RotateKeys) -> list[Rotated]:
        """Go through all that is kept, row by row; it may run while the service does, be killed, and be run again."""
        return [self._rotated(kept) for kept in _kept]

    def _rotated(self, kept: Kept) -> Rotated:
        box = Box(self._secret_key, kept.purpose, self._fallbacks)
        renewed, lost, unreadable, after = 0, 0, [], None
        while rows := _rows(kept, after):
            for key, closed in rows:
                try:
                    renewed += _renew(kept, box, key, closed)
                except Unreadable:
                    lost += 1
                    unreadable += [key] if lost <= NAMED else []
            after = rows[-1][0]
        return Rotated(kept.what, renewed, lost, tuple(unreadable))


def _rows(kept: Kept, after: Any) -> list[tuple[Any, str]]:
    rows = kept.model._default_manager.exclude(**{kept.field: ""}).order_by("pk")
    if kept.until:
        rows = rows.filter(**{f"{kept.until}__gt": Now()})
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.values_list("pk", kept.field)[:BATCH])


def _renew(kept: Kept, box: Box, key: Any, closed: str) -> bool:
    """Encrypt one text again; False if that was not needed, or if it was changed meanwhile, with the current key."""
    renewed = box.renew(closed)
    if renewed is None:
        return False
    rows = kept.model._default_manager.filter(pk=key, **{kept.field: closed})
    return bool(rows.update(**{kept.field: renewed}))
