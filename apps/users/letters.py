"""What the links in account mails are about: asked by receivers at the moment of sending, so that no token is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.core.bus import Query
from apps.users.account_repositories import DjangoAccounts
from apps.users.links import Links, Purpose
from apps.users.models import User


@dataclass(frozen=True)
class Letter:
    """To whom a mail goes, and the link in it."""

    email: str
    name: str
    link: str = field(repr=False)


@dataclass(frozen=True)
class WriteReset(Query["Letter | None"]):
    """A letter with a link for a new password to the active user with this e-mail; None if there is none."""

    email: str


def reset_state(user: User) -> list[str]:
    """What a link for a new password depends on, besides log-ins through the API."""
    return [user.password, user.email, user.last_login.isoformat() if user.last_login else ""]


class Letters:
    """Handlers of the queries above."""

    def __init__(self, accounts: DjangoAccounts, links: Links) -> None:
        self._accounts = accounts
        self._links = links

    def reset(self, query: WriteReset) -> Letter | None:
        """The letter that `WriteReset` asks for; one statement."""
        owner = self._accounts.owner_of(query.email)
        if owner is None:
            return None
        user = owner.user
        link = self._links.address(Purpose.RESET, user.id, reset_state(user), owner.now)
        return Letter(user.email, user.name, link)
