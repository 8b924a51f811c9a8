"""Leaving: a person's account is deleted, and what stays no longer says who they were.

The transaction of the deletion erases the newest of everything. A worker goes through the rest, in short
transactions, and a second time some minutes later for what was under way at that moment: a request, a failed delivery.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import dropwhile

import structlog

from apps.core.bus import unit_of_work
from apps.core.crypto import Unreadable
from apps.core.personal import HOLDINGS, Holding, Person
from apps.core.queue.work_queue import Backoff, LeaseLost
from apps.users.commands import ConfirmLogin, DeleteUser, EraseNext, Leave
from apps.users.errors import WrongCode, WrongCredentials, WrongOtp, WrongPassword
from apps.users.factor_commands import CheckLogin
from apps.users.leaving_repositories import Erasures
from apps.users.models import Erasure
from apps.users.repositories import Users
from apps.users.services import UserService
from apps.users.sessions import Sessions

log = structlog.get_logger("leaving")
PASSES = 2
# longer than any request, lease or receiver lasts
BETWEEN_PASSES_SECONDS = 300.0
# of a pass in which something failed, until it has worked: an erasure is never given up
BACKOFF = Backoff(base=5.0, longest=300.0, max_attempts=2**31)
UNREADABLE_SECONDS = 3600.0
# then somebody else's turn comes, and a worker that has to end can
SLICE_SECONDS = 20.0


class Leaving:
    """Handlers of Leave and EraseNext."""

    def __init__(self, users: Users, sessions: Sessions, service: UserService, erasures: Erasures) -> None:
        self._users = users
        self._sessions = sessions
        self._service = service
        self._erasures = erasures

    def leave(self, command: Leave) -> None:
        """Delete the user, if password and code are theirs, and they are as they were when they are locked."""
        email = self._users.get(command.user_id).email
        try:
            login = self._sessions.check_login(CheckLogin(email, command.address, command.password, command.otp))
            if login.user_id != command.user_id:
                # the address has changed hands since it was read
                raise WrongPassword
            with unit_of_work():
                self._sessions.confirm(ConfirmLogin(login))
                self._service.delete(DeleteUser(command.user_id, command.expected_version))
        except WrongCredentials:
            raise WrongPassword from None
        except WrongOtp:
            raise WrongCode from None

    def erase_next(self, command: EraseNext) -> bool:
        """Claim one and run its pass to the end, to its next attempt, or for SLICE_SECONDS."""
        row = self._erasures.claim()
        if row is None:
            return False
        try:
            self._pass(row, self._erasures.who(row))
        except LeaseLost as error:
            log.info("erasure_let_go", user_id=row.user_id, reason=str(error))
        except Unreadable as error:
            # manage.py rotate_keys names it, and which key is missing
            log.error("erasure_unreadable", user_id=row.user_id, error=str(error))  # noqa: TRY400 - no place in the code is at fault
            self._erasures.again(row, UNREADABLE_SECONDS)
        return True

    def _pass(self, row: Erasure, person: Person) -> None:
        until = time.monotonic() + SLICE_SECONDS
        if not row.holding:
            row.last_error = ""
        for holding in _from(row.holding):
            try:
                if not self._erased(row, person, holding, until):
                    self._erasures.go_on(row)
                    return
            except LeaseLost:
                raise
            except Exception as error:  # whatever it was, it is tried again, and holds up nothing else
                log.warning("erasure_failed", user_id=person.user_id, holding=holding.name, error=repr(error))
                row.last_error = f"{row.last_error} {holding.name}".strip()
        self._end(row)

    def _erased(self, row: Erasure, person: Person, holding: Holding, until: float) -> bool:
        """Erase all that `holding` has, in as many transactions as it takes; False if time was up before the end."""
        step = holding.step
        after: str | None = row.after if holding.name == row.holding else ""
        while step is not None and after is not None:
            with nullcontext() if holding.waits else unit_of_work():
                after = step(person, after)
                self._erasures.report(row, holding.name, after or "")
            if after is not None and time.monotonic() >= until:
                return False
        return True

    def _end(self, row: Erasure) -> None:
        if row.last_error:
            self._erasures.again(row, BACKOFF.wait(row.attempts) or BACKOFF.longest, last_error=row.last_error)
        elif row.passes + 1 < PASSES:
            self._erasures.again(row, BETWEEN_PASSES_SECONDS, passes=row.passes + 1, attempts=0, last_error="")
        else:
            self._erasures.finish(row)
            log.info("erased", user_id=row.user_id)


def _from(name: str) -> Iterator[Holding]:
    """The holdings, from the one that an earlier attempt came to; all of them if that is gone."""
    if name not in HOLDINGS:
        return iter(HOLDINGS.values())
    return dropwhile(lambda holding: holding.name != name, HOLDINGS.values())
