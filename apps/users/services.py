"""Service layer: the use cases of users. It knows neither HTTP nor SQL; the transaction is the bus's."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, UNUSABLE_PASSWORD_SUFFIX_LENGTH

from apps.core.errors import FieldProblem
from apps.core.personal import erase_at_once
from apps.core.repository import check_version
from apps.events.bus import bulk, publish, publish_all
from apps.users import passwords, rules
from apps.users.commands import DeleteUser, ImportUsers, RegisterUser, SetPassword, UpdateUser, UserSnapshot
from apps.users.errors import LastStaff
from apps.users.events import PasswordChanged, UserDeleted, UserRegistered, UserUpdated
from apps.users.leaving_repositories import Erasures
from apps.users.models import User
from apps.users.repositories import Users
from apps.users.sessions import Sessions


class UserService:
    """Handlers of the commands that change users."""

    def __init__(self, users: Users, sessions: Sessions, erasures: Erasures) -> None:
        self._users = users
        self._sessions = sessions
        self._erasures = erasures

    def register(self, command: RegisterUser) -> UserSnapshot:
        """Insert the user and publish it. The unique index decides if the e-mail is free: a look before would race."""
        email, name = rules.clean_email(command.email), command.name.strip()
        problems = [rules.email_problem(email), rules.name_problem(command.name)]
        if command.password is not None:
            problems += rules.password_problems(command.password, email, name)
        rules.check(problems)
        password = unusable_password() if command.password is None else passwords.hash_of(command.password)
        row = User(email=email, name=name, is_staff=command.is_staff, password=password)
        if command.verified:
            row.email_verified_at = datetime.now(UTC)
        user = self._users.create(row)
        publish(UserRegistered(user.id, user.email, user.name))
        return snapshot(user)

    def import_many(self, command: ImportUsers) -> set[str]:
        """Insert the users whose e-mail is free and publish it; two statements, however many there are."""
        made = self._users.create_many(command.pairs)
        # who registers meanwhile does not wait until thousands of these are worked off
        with bulk():
            publish_all([UserRegistered(user.id, user.email, user.name) for user in made])
        return {user.email.lower() for user in made}

    def update(self, command: UpdateUser) -> UserSnapshot:
        """Change what is given and differs; if nothing does, there is no new version and no event."""
        user = self._users.lock(command.user_id)
        check_version(user, command.expected_version)
        changes: dict[str, str | bool] = {}
        if command.name is not None:
            rules.check([rules.name_problem(command.name)])
            changes["name"] = command.name.strip()
        if command.is_active is not None:
            changes["is_active"] = command.is_active
        changes = {field: value for field, value in changes.items() if getattr(user, field) != value}
        if not changes:
            return snapshot(user)
        if changes.get("is_active") is False and self._users.is_last_staff(user):
            raise LastStaff
        user = self._users.update(user, **changes)
        if not user.is_active:
            self._sessions.end_all(user.id)
        publish(UserUpdated(user.id, user.email, user.name, user.is_active, user.version))
        return snapshot(user)

    def delete(self, command: DeleteUser) -> None:
        """Delete the user with all that is theirs, and erase them in what stays: at once the newest, later the rest."""
        user = self._users.lock_to_delete(command.user_id)
        check_version(user, command.expected_version)
        if self._users.is_last_staff(user):
            raise LastStaff
        person = self._erasures.begin(user)
        publish(UserDeleted(user.id, person.pseudonym, person.called))
        self._sessions.forget(user.id)
        erase_at_once(person)
        self._users.delete(user)

    def set_password(self, command: SetPassword) -> None:
        """Keep the new password's hash, end every login made with the old one, and have the user told."""
        give_password(self._users, self._sessions, self._users.lock(command.user_id), command.password)


def give_password(
    users: Users,
    sessions: Sessions,
    user: User,
    password: str,
    *,
    but: uuid.UUID | None = None,
    at: str = "/password",
    **more: Any,
) -> None:
    """Give a locked user another password and `more`; end their sessions `but` one. Raises Invalid, pointing `at`."""
    found = rules.password_problems(password, user.email, user.name)
    rules.check([FieldProblem(at, problem.code, problem.detail) for problem in found])
    user = users.update(user, password=passwords.hash_of(password), **more)
    sessions.end_all(user.id, but)
    publish(PasswordChanged(user.id, user.email, user.name, user.version))


def unusable_password() -> str:
    """A hash that fits no password; like Django's own, which draws its random part character by character."""
    return UNUSABLE_PASSWORD_PREFIX + secrets.token_hex(UNUSABLE_PASSWORD_SUFFIX_LENGTH // 2)


def snapshot(user: User) -> UserSnapshot:
    """`user` without its password and without the ORM."""
    return UserSnapshot(
        id=user.id,
        email=user.email,
        name=user.name,
        is_active=user.is_active,
        is_staff=user.is_staff,
        created_at=user.created_at,
        updated_at=user.updated_at,
        version=user.version,
        email_verified_at=user.email_verified_at,
    )
