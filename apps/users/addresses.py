"""The service of one's own address: verified, changed, and changed back. It knows neither HTTP nor SQL."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from apps.core.errors import FieldProblem, Invalid, TooMany
from apps.events.bus import publish
from apps.users import rules
from apps.users.account_commands import (
    CheckLink,
    PruneEmailChanges,
    RequestEmailChange,
    RequestVerification,
    UndoEmailChange,
    VerifyEmail,
)
from apps.users.account_repositories import Changing, DjangoAccounts, Owner
from apps.users.accounts import MAILS_AN_HOUR, Accounts
from apps.users.errors import DeadLink
from apps.users.events import EmailChanged, EmailChangeRequested, EmailChangeUndone, UserUpdated, VerificationRequested
from apps.users.letters import change_state, verify_state
from apps.users.links import Links, Purpose
from apps.users.models import User
from apps.users.repositories import Users
from apps.users.second_factor import SecondFactors
from apps.users.services import unusable_password
from apps.users.sessions import Sessions

log = structlog.get_logger("accounts")
# of one user, to whatever addresses
CHANGES_AN_HOUR = 5
FindOwner = Callable[[int], Owner | None]
FindChange = Callable[[int], Changing | None]


class Addresses:
    """Handlers of the commands about addresses in apps/users/account_commands.py."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        accounts: DjangoAccounts,
        links: Links,
        passwords: Accounts,
        second_factors: SecondFactors,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._accounts = accounts
        self._links = links
        self._passwords = passwords
        self._second_factors = second_factors

    def request_verification(self, command: RequestVerification) -> None:
        """Write down that somebody asked; a worker looks up whose address it is, and if that is verified already."""
        email = command.email
        if email is None and command.user_id is not None:
            email = self._users.get(command.user_id).email
        email = rules.clean_email(email or "")
        rules.check([rules.email_problem(email)])
        if self._passwords.may_mail(Purpose.VERIFY, email):
            publish(VerificationRequested(email))

    def verify(self, command: VerifyEmail) -> None:
        """Of two who come with one token at once, the second waits for the first, and finds it used."""
        if self._links.is_for(Purpose.CHANGE, command.token):
            self._change(self._pending(command.token, self._accounts.hold_change))
            return
        owner = self._unverified(command.token, self._accounts.hold)
        _tell(self._users.update(owner.user, email_verified_at=owner.now))

    def _change(self, found: Changing) -> None:
        user = self._users.update(found.user, email=found.change.new_email, email_verified_at=found.now)
        self._accounts.mark_confirmed(found.change, found.now)
        _tell(user)
        publish(EmailChanged(user.id, found.change.pk))

    def request_change(self, command: RequestEmailChange) -> None:
        """Check the password first; whether the address is free is found out by who confirms that it is theirs."""
        email = rules.clean_email(command.email)
        rules.check([rules.email_problem(email)])
        with self._passwords.proven(command.user_id, command.password, command.address) as user:
            if user.email == email:
                raise Invalid([FieldProblem("/email", "unchanged", "This is your address already.")])
            self._limit(f"{Purpose.CHANGE}-by", str(user.id), CHANGES_AN_HOUR)
            self._limit(Purpose.CHANGE, email, MAILS_AN_HOUR)
            publish(EmailChangeRequested(user.id, self._accounts.ask_to_change(user, email)))

    def _limit(self, kind: str, whom: str, most: int) -> None:
        count, seconds = self._accounts.count_mail(kind, whom)
        if count > most:
            raise TooMany("Too many mails to confirm an address; try again later.", max(seconds, 1))

    def undo(self, command: UndoEmailChange) -> None:
        """Whoever asked for the change knew the password, so that ends, too: a mail has a link for a new one."""
        found = self._undoable(command.token, self._accounts.hold_change)
        if squatter := self._accounts.squatter(found.change):
            self._evict(squatter)
        changes = {"email": found.change.old_email, "email_verified_at": found.now, "password": unusable_password()}
        user = self._users.update(found.user, **changes)
        self._accounts.mark_undone(found.change, found.now)
        if found.change.confirmed_at:
            # whoever set one up since would lock the owner out with it
            self._second_factors.remove_since(user, found.change.confirmed_at)
        self._sessions.end_all(user.id)
        _tell(user)
        publish(EmailChangeUndone(user.id, found.change.pk))

    def _evict(self, user: User) -> None:
        """Otherwise whoever changed the address could keep it from its owner by registering it anew."""
        log.warning("address_taken_back", user_id=user.id)
        _tell(self._users.update(user, email=f"user-{user.id}@taken-back.invalid", is_active=False))
        self._sessions.end_all(user.id)

    def prune(self, command: PruneEmailChanges) -> int:
        """Delete what no link refers to any more."""
        return self._accounts.prune_changes()

    def check_link(self, query: CheckLink) -> None:
        """Look at what the link is about, and lock nothing. Raises DeadLink."""
        match query.purpose:
            case Purpose.VERIFY:
                self._unverified(query.token, self._accounts.owner)
            case Purpose.CHANGE:
                self._pending(query.token, self._accounts.changing)
            case Purpose.UNDO:
                self._undoable(query.token, self._accounts.changing)
            case _:
                self._passwords.check_link(query)

    def _unverified(self, token: str, find: FindOwner) -> Owner:
        link = self._links.read(Purpose.VERIFY, token)
        owner = find(link.key)
        if owner is None or owner.user.email_verified_at:
            raise DeadLink
        self._links.check(Purpose.VERIFY, link, verify_state(owner.user.email), owner.now)
        return owner

    def _pending(self, token: str, find: FindChange) -> Changing:
        link = self._links.read(Purpose.CHANGE, token)
        found = find(link.key)
        if found is None or found.change.confirmed_at:
            raise DeadLink
        self._links.check(Purpose.CHANGE, link, change_state(found.user), found.now)
        return found

    def _undoable(self, token: str, find: FindChange) -> Changing:
        link = self._links.read(Purpose.UNDO, token)
        found = find(link.key)
        if found is None or found.change.confirmed_at is None or found.change.undone_at:
            raise DeadLink
        self._links.check(Purpose.UNDO, link, [], found.now)
        return found


def _tell(user: User) -> None:
    publish(UserUpdated(user.id, user.email, user.name, user.is_active, user.version))
