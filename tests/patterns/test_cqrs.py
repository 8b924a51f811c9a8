"""CQRS: without it a half-done change is kept, and a read pays for a transaction and every column."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, assert_type

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY

from apps.core.bus import Bus, Command, Query, bus, unit_of_work
from apps.core.errors import NotFound
from apps.events.bus import publish
from apps.events.models import OutboxEvent
from apps.users.api.v1 import UserV1
from apps.users.api.v2 import UserV2
from apps.users.commands import RegisterUser, UserSnapshot
from apps.users.errors import EmailTaken
from apps.users.events import UserRegistered
from apps.users.models import User
from apps.users.queries import GetUser, ListUsers, Row
from apps.users.tokens import Claims

pytestmark = pytest.mark.django_db(transaction=True)
Register = Callable[..., UserSnapshot]


@dataclass(frozen=True)
class RegisterTwo(Command[int]):
    """Two registrations that belong together."""

    emails: tuple[str, str]


@dataclass(frozen=True)
class WaitOutside(Command[bool]):
    """Waits for another machine."""

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class AmInATransaction(Query[bool]):
    """Whether it runs in a transaction."""


def register_two(command: RegisterTwo) -> int:
    for email in command.emails:
        bus.execute(RegisterUser(email, "Ada"))
    return len(command.emails)


def in_a_transaction(_: object) -> bool:
    return connection.in_atomic_block


@pytest.fixture
def own() -> Bus:
    """A bus with this file's messages."""
    own = Bus()
    own.register(RegisterTwo, register_two)
    own.register(WaitOutside, in_a_transaction)
    own.register(AmInATransaction, in_a_transaction)
    return own


def claims(user: UserSnapshot) -> Claims:
    return Claims(user.id, None, 2**40)


def statements(captured: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in captured.captured_queries]


class TestCommand:
    """A command is kept as a whole or not at all, and is seen in log and metrics."""

    def test_all_of_it_is_kept(self, own: Bus) -> None:
        assert own.execute(RegisterTwo(("ada@example.com", "grace@example.com"))) == 2
        assert User.objects.count() == OutboxEvent.objects.count() == 2

    def test_or_nothing(self, own: Bus) -> None:
        with pytest.raises(EmailTaken):
            own.execute(RegisterTwo(("ada@example.com", "ADA@example.com")))
        assert User.objects.count() == OutboxEvent.objects.count() == 0

    def test_without_the_pipeline_half_of_it_stays(self) -> None:
        with pytest.raises(EmailTaken):
            register_two(RegisterTwo(("ada@example.com", "ADA@example.com")))
        assert User.objects.count() == 1

    def test_the_change_and_its_event_are_one_commit(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            bus.execute(RegisterUser("ada@example.com", "Ada"))
        first, *_, last = sent = statements(captured)[1:]
        assert first.startswith('BEGIN;INSERT INTO "users_user"')
        assert last.startswith("INSERT INTO events_outboxevent")
        assert last.endswith(";COMMIT")
        assert len(sent) == 2

    @pytest.mark.parametrize("again", [lambda: publish(UserRegistered(1, "b@example.com", "B")), User.objects.first])
    def test_an_error_ends_a_whole_unit_of_work_and_nothing_goes_on_there(self, again: Callable[[], Any]) -> None:
        with unit_of_work(whole=True):
            bus.execute(RegisterUser("a@example.com", "Ada"))
            with pytest.raises(EmailTaken):
                bus.execute(RegisterUser("A@example.com", "Ada"))
            with pytest.raises(transaction.TransactionManagementError):
                again()
        assert not User.objects.exists()
        assert not OutboxEvent.objects.exists()

    def test_a_command_within_a_command_of_it_can_still_fail_alone(self, own: Bus) -> None:
        def register_once(command: RegisterTwo) -> int:
            for email in command.emails:
                with suppress(EmailTaken):
                    bus.execute(RegisterUser(email, "Ada"))
            return User.objects.count()

        with unit_of_work(whole=True), own.replaced(RegisterTwo, register_once):
            assert own.execute(RegisterTwo(("a@example.com", "A@example.com"))) == 1
        assert OutboxEvent.objects.count() == 1

    def test_one_that_waits_for_another_machine_holds_no_transaction_open(self, own: Bus) -> None:
        assert own.execute(WaitOutside()) is False

    @pytest.mark.parametrize(("email", "outcome"), [("grace@example.com", "done"), ("Ada@example.com", "email_taken")])
    def test_its_outcome_is_counted(self, register: Register, email: str, outcome: str) -> None:
        register("ada@example.com")

        def count() -> float:
            labels = {"command": "RegisterUser", "outcome": outcome}
            return REGISTRY.get_sample_value("command_seconds_count", labels) or 0.0

        before = count()
        try:
            register(email)
        except EmailTaken:
            assert outcome == "email_taken"
        assert count() == before + 1


class TestQuery:
    """A query is one statement over the columns its reader shows, with nothing around it."""

    def test_it_is_one_narrow_statement_without_a_transaction(self, register: Register) -> None:
        ada = register()
        with CaptureQueriesContext(connection) as captured:
            row = bus.ask(GetUser(ada.id, UserV1.shows, claims(ada)))
        assert row == {name: getattr(ada, name) for name in UserV1.shows}
        (sql,) = statements(captured)
        assert sql.startswith("SELECT")
        selected = sql.partition(" FROM ")[0]
        assert selected.count(",") == len(UserV1.shows) - 1
        assert "password" not in sql
        assert "last_login" not in sql

    @pytest.mark.parametrize("shape", [UserV1, UserV2])
    def test_a_list_of_any_length_is_one_statement(self, register: Register, shape: type[UserV1]) -> None:
        boss = register("boss@example.com", is_staff=True)
        for number in range(30):
            register(f"user{number}@example.com")
        with CaptureQueriesContext(connection) as captured:
            rows = bus.ask(ListUsers(shape.shows, claims(boss), limit=25))
        assert len(rows) == 26, "one row more tells that there are more"
        (sql,) = statements(captured)
        assert "password" not in sql
        assert "COUNT(" not in sql

    def test_nothing_is_opened_around_it(self, own: Bus) -> None:
        assert own.ask(AmInATransaction()) is False
        with transaction.atomic():
            assert own.ask(AmInATransaction()) is True

    def test_who_may_see_is_part_of_the_statement(self, register: Register) -> None:
        ada, eve = register("ada@example.com"), register("eve@example.com")
        with pytest.raises(NotFound):
            bus.ask(GetUser(ada.id, UserV1.shows, claims(eve)))


def test_a_message_carries_the_type_of_its_answer(register: Register) -> None:
    """mypy checks these lines; here they only have to run."""
    boss = assert_type(bus.execute(RegisterUser("boss@example.com", "Boss", is_staff=True)), UserSnapshot)
    assert_type(bus.ask(GetUser(boss.id, ("id",), claims(boss))), Row)
    rows: list[dict[str, Any]] = assert_type(bus.ask(ListUsers(("id",), claims(boss))), list[Row])
    assert rows == [{"id": boss.id}]
