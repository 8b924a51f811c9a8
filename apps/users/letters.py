"""What the links in account mails are about: asked by receivers at the moment of sending, so that no token is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.core.bus import Query
from apps.users.account_repositories import DjangoAccounts, Owner
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


@dataclass(frozen=True)
class WriteWelcome(Query[str]):
    """The link that verifies the address of a new user; empty if nobody asks for that, or nothing is left to do."""

    user_id: int
    email: str


@dataclass(frozen=True)
class WriteVerification(Query["Letter | None"]):
    """A letter with a link that verifies the address to the active user who has it; None if nothing is left to do."""

    email: str


@dataclass(frozen=True)
class WriteChange(Query["Letter | None"]):
    """A letter with a link that makes a change of an address, to the new one; None if it is made or overtaken."""

    change_id: int


@dataclass(frozen=True)
class Undoing:
    """A letter to an address that was changed, and the new one."""

    letter: Letter
    new_email: str


@dataclass(frozen=True)
class WriteUndo(Query["Undoing | None"]):
    """A letter with a link that undoes a change of an address, to the old one; None if it is undone."""

    change_id: int


@dataclass(frozen=True)
class WriteUndone(Query["Letter | None"]):
    """A letter with a link for a new password to a user who has their earlier address again; None if overtaken."""

    change_id: int


def reset_state(user: User) -> list[str]:
    """What a link for a new password depends on, besides log-ins through the API."""
    return [user.password, user.email, user.last_login.isoformat() if user.last_login else ""]


def verify_state(email: str) -> list[str]:
    """What a link that verifies an address depends on, besides that it is not verified."""
    return [email]


def change_state(user: User) -> list[str]:
    """What a link to a new address depends on, besides that the change is not made."""
    return [user.password, user.email]


class Letters:
    """Handlers of the queries above; with `verifies` users are asked to verify their addresses."""

    def __init__(self, accounts: DjangoAccounts, links: Links, *, verifies: bool) -> None:
        self._accounts = accounts
        self._links = links
        self._verifies = verifies

    def welcome(self, query: WriteWelcome) -> str:
        """The link that `WriteWelcome` asks for; one statement at most."""
        found = self._accounts.unverified(query.user_id) if self._verifies else None
        # meanwhile it may be another address, to which this mail does not go
        if found is None or found[0] != query.email:
            return ""
        return self._links.address(Purpose.VERIFY, query.user_id, verify_state(query.email), found[1])

    def verification(self, query: WriteVerification) -> Letter | None:
        """The letter that `WriteVerification` asks for; one statement at most."""
        owner = self._accounts.owner_of(query.email) if self._verifies else None
        if owner is None or owner.user.email_verified_at:
            return None
        user = owner.user
        link = self._links.address(Purpose.VERIFY, user.id, verify_state(user.email), owner.now)
        return Letter(user.email, user.name, link)

    def change(self, query: WriteChange) -> Letter | None:
        """The letter that `WriteChange` asks for; three statements."""
        found = self._accounts.changing(query.change_id)
        if found is None or found.change.confirmed_at or found.change.old_email != found.user.email:
            return None
        link = self._links.address(Purpose.CHANGE, query.change_id, change_state(found.user), found.now)
        return Letter(found.change.new_email, found.user.name, link)

    def undo(self, query: WriteUndo) -> Undoing | None:
        """The letter that `WriteUndo` asks for; three statements. Its time runs from the change on."""
        found = self._accounts.changing(query.change_id)
        if found is None or found.change.confirmed_at is None or found.change.undone_at:
            return None
        link = self._links.address(Purpose.UNDO, query.change_id, [], found.change.confirmed_at)
        return Undoing(Letter(found.change.old_email, found.user.name, link), found.change.new_email)

    def reset(self, query: WriteReset) -> Letter | None:
        """The letter that `WriteReset` asks for; one statement."""
        owner = self._accounts.owner_of(query.email)
        return self._reset(owner) if owner else None

    def _reset(self, owner: Owner) -> Letter:
        user = owner.user
        return Letter(user.email, user.name, self._links.address(Purpose.RESET, user.id, reset_state(user), owner.now))

    def undone(self, query: WriteUndone) -> Letter | None:
        """The letter that `WriteUndone` asks for; three statements."""
        found = self._accounts.changing(query.change_id)
        if found is None or found.change.old_email != found.user.email:
            return None
        return self._reset(Owner(found.user, found.now))
