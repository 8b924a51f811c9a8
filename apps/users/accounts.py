"""The service of one's own account: passwords and links in mails. It knows neither HTTP nor SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from apps.core.bus import unit_of_work
from apps.events.bus import publish
from apps.users import rules
from apps.users.account_commands import ChangePassword, CheckLink, ConfirmPasswordReset, RequestPasswordReset
from apps.users.account_repositories import DjangoAccounts, Owner
from apps.users.commands import CheckCredentials, ConfirmLogin, Login
from apps.users.errors import DeadLink, WrongCredentials, WrongPassword
from apps.users.events import PasswordResetRequested
from apps.users.letters import reset_state
from apps.users.links import Links, Purpose
from apps.users.models import User
from apps.users.repositories import Users
from apps.users.services import give_password
from apps.users.sessions import Sessions

log = structlog.get_logger("accounts")
# of one kind, to one address
MAILS_AN_HOUR = 3


class Accounts:
    """Handlers of the commands in apps/users/account_commands.py."""

    def __init__(self, users: Users, sessions: Sessions, accounts: DjangoAccounts, links: Links) -> None:
        self._users = users
        self._sessions = sessions
        self._accounts = accounts
        self._links = links

    def change_password(self, command: ChangePassword) -> None:
        """Check the old password first; the caller's own session goes on."""
        with self.proven(command.user_id, command.current, command.address) as user:
            give_password(self._users, self._sessions, user, command.new, but=command.session_id, at="/new")

    def request_reset(self, command: RequestPasswordReset) -> None:
        """Write down that somebody asked. Whether there is such a user is looked up by a worker: no answer tells."""
        email = rules.clean_email(command.email)
        rules.check([rules.email_problem(email)])
        if self.may_mail(Purpose.RESET, email):
            publish(PasswordResetRequested(email))

    def confirm_reset(self, command: ConfirmPasswordReset) -> None:
        """Of two who come with one token at once, the second waits for the first, and finds it used."""
        user, now = self._whose_reset(command.token, self._accounts.hold)
        # whoever has the mail has the address
        verified_at = user.email_verified_at or now
        give_password(self._users, self._sessions, user, command.password, email_verified_at=verified_at)

    def check_link(self, query: CheckLink) -> None:
        """Look at what the link is about, and lock nothing. Raises DeadLink."""
        self._whose_reset(query.token, self._accounts.owner)

    def may_mail(self, kind: Purpose, email: str) -> bool:
        """Count a mail that somebody asks for; False, and a line in the log, past MAILS_AN_HOUR: no answer tells."""
        if self._accounts.count_mail(kind, email)[0] <= MAILS_AN_HOUR:
            return True
        log.warning("mail_limited", kind=kind)
        return False

    @contextmanager
    def proven(self, user_id: int, password: str, address: str) -> Iterator[User]:
        """A unit of work with a user, locked, who knows their password. Raises WrongPassword, TooMany."""
        login = self._own(user_id, password, address)
        with unit_of_work():
            self._confirm(login)
            yield self._users.lock(login.user_id)

    def _whose_reset(self, token: str, find: Callable[[int], Owner | None]) -> Owner:
        link = self._links.read(Purpose.RESET, token)
        owner = find(link.key)
        if owner is None or self._accounts.logged_in_since(link.key, link.made_at):
            raise DeadLink
        self._links.check(Purpose.RESET, link, reset_state(owner.user), owner.now)
        return owner

    def _own(self, user_id: int, password: str, address: str) -> Login:
        email = self._users.get(user_id).email
        try:
            login = self._sessions.check(CheckCredentials(email, address, password))
        except WrongCredentials:
            raise WrongPassword from None
        if login.user_id != user_id:
            # the address has changed hands since it was read
            raise WrongPassword
        return login

    def _confirm(self, login: Login) -> None:
        try:
            self._sessions.confirm(ConfirmLogin(login))
        except WrongCredentials:
            raise WrongPassword from None
