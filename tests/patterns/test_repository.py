"""Repository: without it updates are lost, the database's errors reach the caller raw, and half a use case is kept."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, get_type_hints

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Value
from django.db.models.functions import Lower

from apps.core.errors import NotFound, VersionConflict
from apps.core.repository import insert
from apps.events.models import OutboxEvent
from apps.users.errors import EmailTaken
from apps.users.models import User
from apps.users.repositories import DjangoUsers, MadeUser, Users
from tests.core.racing import at_once
from tests.users.fakes import FakeUsers


@pytest.fixture(params=["django", "fake"])
def users(request: pytest.FixtureRequest) -> Iterator[Users]:
    """The repository and its fake, which have to behave alike."""
    if request.param == "django":
        request.getfixturevalue("db")
        yield DjangoUsers()
    else:
        yield FakeUsers()


def ada(email: str = "ada@example.com") -> User:
    return User(email=email, name="Ada", password="!")


class TestContract:
    """What every implementation of `Users` promises."""

    def test_a_created_user_is_found_with_what_the_database_filled_in(self, users: Users) -> None:
        made = users.create(ada())
        found = users.get(made.id)
        assert (found.email, found.name, found.is_active, found.version) == ("ada@example.com", "Ada", True, 1)
        assert found.created_at == made.created_at
        assert users.lock(made.id).id == made.id

    def test_an_email_is_taken_in_any_letter_case(self, users: Users) -> None:
        users.create(ada())
        with pytest.raises(EmailTaken):
            users.create(ada("Ada@EXAMPLE.com"))

    def test_a_taken_email_is_refused_on_update_too(self, users: Users) -> None:
        users.create(ada())
        other = users.create(ada("grace@example.com"))
        with pytest.raises(EmailTaken):
            users.update(other, email="ADA@example.com")

    def test_an_update_counts_the_version_up(self, users: Users) -> None:
        made = users.create(ada())
        created_at = made.created_at
        changed = users.update(made, name="Ada Lovelace")
        assert (changed.name, changed.version) == ("Ada Lovelace", 2)
        found = users.get(made.id)
        assert (found.name, found.version) == ("Ada Lovelace", 2)
        assert found.updated_at >= found.created_at == created_at

    def test_of_two_readers_the_second_writer_is_refused(self, users: Users) -> None:
        made = users.create(ada())
        first, second = users.get(made.id), users.get(made.id)
        users.update(first, name="First")
        with pytest.raises(VersionConflict):
            users.update(second, name="Second")
        assert users.get(made.id).name == "First"

    def test_what_is_not_there_is_not_found(self, users: Users) -> None:
        made = users.create(ada())
        gone = copy.copy(made)
        users.delete(made)
        with pytest.raises(NotFound):
            users.get(gone.id)
        with pytest.raises(NotFound):
            users.lock(gone.id)
        with pytest.raises(NotFound):
            users.update(gone, name="Ghost")

    def test_many_are_created_but_for_those_whose_email_is_taken(self, users: Users) -> None:
        users.create(ada())
        pairs = [
            ("new@example.com", "New"),
            ("ADA@example.com", "Taken"),
            ("NEW@example.com", "Again"),
            ("b@c.org", "B"),
        ]
        made = users.create_many(pairs)
        assert [(user.email, user.name) for user in made] == [("new@example.com", "New"), ("b@c.org", "B")]
        found = users.get(made[0].id)
        assert (found.name, found.is_active, found.is_staff, found.version) == ("New", True, False, 1)
        assert not found.has_usable_password()
        assert users.create_many([]) == []

    def test_the_last_staff_is_known_as_such(self, users: Users) -> None:
        plain, boss = users.create(ada()), users.create(ada("boss@example.com"))
        assert not users.is_last_staff(plain)
        boss = users.update(boss, is_staff=True)
        assert users.is_last_staff(boss)
        other = users.update(users.create(ada("other@example.com")), is_staff=True)
        assert not users.is_last_staff(boss)
        users.update(other, is_active=False)
        assert users.is_last_staff(boss)
        assert not users.is_last_staff(users.get(other.id))

    def test_a_change_to_a_row_in_hand_reaches_nobody_else(self, users: Users) -> None:
        made = users.create(ada())
        made.name = "not saved"
        assert users.get(made.id).name == "Ada"


@pytest.mark.django_db
def test_without_the_version_an_update_is_lost() -> None:
    made = DjangoUsers().create(ada())
    first, second = User.objects.get(id=made.id), User.objects.get(id=made.id)
    first.name = "First"
    first.save()
    second.is_staff = True
    second.save()
    assert User.objects.get(id=made.id).name == "Ada", "plain save() wrote the stale name back"


@pytest.mark.django_db(transaction=True)
def test_racing_updates_lose_none() -> None:
    users, racers, rounds = DjangoUsers(), 4, 5
    made = users.create(ada())

    def append_letters(number: int) -> int:
        conflicts = 0
        for _ in range(rounds):
            while True:
                row = users.get(made.id)
                try:
                    users.update(row, name=row.name + str(number))
                    break
                except VersionConflict:
                    conflicts += 1
        return conflicts

    conflicts = at_once(racers, append_letters)
    assert all(isinstance(n, int) for n in conflicts), conflicts
    final = users.get(made.id)
    assert final.version == racers * rounds + 1
    assert sorted(final.name.removeprefix("Ada")) == sorted("0123" * rounds)


@pytest.mark.django_db(transaction=True)
def test_a_locked_row_makes_the_next_use_case_wait() -> None:
    users = DjangoUsers()
    made = users.create(ada())

    def append_under_lock(number: int) -> None:
        with transaction.atomic():
            row = users.lock(made.id)
            users.update(row, name=row.name + str(number))

    assert at_once(4, append_under_lock) == [None] * 4, "a lock means that nobody meets a VersionConflict"
    assert users.get(made.id).version == 5


@pytest.mark.django_db(transaction=True)
def test_the_index_decides_a_race_for_an_email() -> None:
    def create(number: int) -> int:
        return DjangoUsers().create(ada(f"{'aA'[number % 2]}da@example.com")).id

    outcomes = at_once(8, create)
    assert [type(o) for o in outcomes].count(EmailTaken) == 7
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_an_error_that_no_caller_can_help_stays_what_it_is() -> None:
    keyless = ada()
    keyless.password = None  # type: ignore[assignment] # what the database refuses and no domain error is for
    with pytest.raises(IntegrityError), transaction.atomic():
        DjangoUsers().create(keyless)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_committed_by_the_repository() -> None:
    users = DjangoUsers()
    kept = users.create(ada("kept@example.com"))

    def seen_by_others(_: int) -> list[tuple[str, str]]:
        return list(User.objects.values_list("email", "name"))

    with suppress(ZeroDivisionError), transaction.atomic():
        users.create(ada())
        users.update(users.get(kept.id), name="changed")
        assert at_once(1, seen_by_others) == [[("kept@example.com", "Ada")]]
        users.delete(users.get(kept.id))
        raise ZeroDivisionError
    assert seen_by_others(0) == [("kept@example.com", "Ada")]


@pytest.mark.django_db
def test_no_queryset_leaks_out() -> None:
    for name in ("get", "lock", "create", "create_many", "update", "delete"):
        assert get_type_hints(getattr(Users, name))["return"] in (User, list[MadeUser], type(None))
    users = DjangoUsers()
    made = [users.create(ada(f"ada{number}@example.com")).id for number in range(5)]
    page: Any = users.list(after=made[1], limit=2)
    assert type(page) is list
    assert [user.id for user in page] == made[2:4]


@pytest.mark.django_db
class TestInsert:
    """`insert` writes a row as Django's own `save` does."""

    def test_every_kind_of_column_arrives_as_by_save(self) -> None:
        def event(number: int) -> OutboxEvent:
            return OutboxEvent(type="t", aggregate=f"a:{number}", data={"name": "Ada", "n": [1, None]}, position=number)

        inserted, saved = event(1), event(2)
        insert(inserted)
        saved.save(force_insert=True)
        rows = list(OutboxEvent.objects.order_by("position").values("type", "data", "request_id", "bulk"))
        assert rows[0] == rows[1]
        assert inserted.occurred_at == OutboxEvent.objects.get(position=1).occurred_at
        assert inserted._state.adding is saved._state.adding is False
        inserted.request_id = "changed"
        inserted.save()
        assert OutboxEvent.objects.get(pk=inserted.pk).request_id == "changed"

    def test_expressions_and_keys_of_the_callers_own_are_kept(self) -> None:
        moment = datetime(2020, 1, 1, tzinfo=UTC)
        insert(OutboxEvent(id=7, type=Lower(Value("T")), aggregate="a", data={}, occurred_at=moment))
        assert OutboxEvent.objects.values_list("type", "occurred_at").get(id=7) == ("t", moment)

    def test_the_statement_is_written_once_for_a_set_of_columns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        DjangoUsers().create(ada())
        monkeypatch.delattr("apps.core.repository._compiled")
        DjangoUsers().create(ada("grace@example.com"))
