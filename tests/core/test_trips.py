"""A statement that is sent for later is kept, refused and rolled back where it was written, in fewer trips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.bus import send_later

pytestmark = pytest.mark.django_db(transaction=True)
INSERT = "INSERT INTO trips_noted (word) VALUES (%s)"
# a word of more than five letters
TOO_LONG = "refused"


@pytest.fixture(autouse=True)
def noted() -> Iterator[None]:
    """A table of words."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE trips_noted (id bigserial PRIMARY KEY, word varchar(5) NOT NULL)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE trips_noted")


def note(word: str) -> None:
    send_later(INSERT, [word])


def words() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT word FROM trips_noted ORDER BY id")
        return [word for (word,) in cursor.fetchall()]


@contextmanager
def undone() -> Iterator[None]:
    """A block that is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_it_is_kept_with_the_transaction_and_seen_in_it() -> None:
    with transaction.atomic():
        note("first")
        assert words() == ["first"]
        note("last")
    assert words() == ["first", "last"]


def test_it_goes_with_the_transaction() -> None:
    with undone():
        note("gone")
    assert words() == []


def test_a_percent_sign_and_a_semicolon_are_letters() -> None:
    with transaction.atomic():
        note("5%s;%")
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s", ["a"])
            assert cursor.fetchone() == ("a",)
    assert words() == ["5%s;%"]


@pytest.mark.parametrize("before", [list, words], ids=["unsent", "sent"])
@pytest.mark.parametrize("within", [list, words], ids=["unsent", "sent"])
def test_a_savepoint_takes_along_what_came_after_it_alone(
    before: Callable[[], object], within: Callable[[], object]
) -> None:
    with transaction.atomic():
        note("kept")
        before()
        with undone():
            note("gone")
            with transaction.atomic():
                note("too")
                within()
        with transaction.atomic():
            note("on")
    assert words() == ["kept", "on"]


def test_an_error_is_that_blocks_and_the_next_one_goes_on() -> None:
    with transaction.atomic():
        for word in ("a", TOO_LONG, "b"):
            try:
                with transaction.atomic():
                    note(word)
            except DataError:
                assert word == TOO_LONG
    assert words() == ["a", "b"]


def test_an_error_at_the_commit_keeps_nothing() -> None:
    block = transaction.atomic()
    block.__enter__()
    note("a")
    note(TOO_LONG)
    with pytest.raises(DataError):
        block.__exit__(None, None, None)
    assert words() == []
    with transaction.atomic():
        note("b")
    assert words() == ["b"]


def test_a_value_that_cannot_be_sent_leaves_what_waits() -> None:
    with transaction.atomic():
        note("a")
        for word in ("x\0", "b"):
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(INSERT, [word])
            except (DataError, ValueError):
                assert word == "x\0"
    assert words() == ["a", "b"]


def test_other_ways_to_send_take_it_along_too() -> None:
    with transaction.atomic():
        note("a")
        with connection.cursor() as cursor:
            cursor.executemany(INSERT, [["b"], ["c"]])
        note("d")
        with connection.cursor() as cursor, cursor.copy("COPY trips_noted (word) FROM STDIN") as copy:
            copy.write_row(["e"])
        note("f")
        with connection.chunked_cursor() as cursor:
            cursor.execute("SELECT count(*) FROM trips_noted")
            assert cursor.fetchone() == (6,)
    assert words() == list("abcdef")


def test_a_chunked_cursor_in_a_transaction_does_not_outlive_it() -> None:
    with transaction.atomic(), connection.chunked_cursor() as chunks:
        chunks.execute("SELECT word FROM trips_noted")
        with connection.cursor() as cursor:
            cursor.execute("SELECT bool_or(is_holdable) FROM pg_cursors")
            assert cursor.fetchone() == (False,)


def test_a_transaction_without_a_statement_is_no_trip() -> None:
    with transaction.atomic(), transaction.atomic():
        pass
    assert connection.connection.waiting == []
    assert words() == []


def read(sql: str, *values: object) -> list[tuple[object, ...]]:
    ours: Any = connection
    with ours.reading_cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[object, ...]] = cursor.fetchall()
        return rows


AS_SENT = (
    "SELECT word, (SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()) FROM trips_noted WHERE word = %s"
)


def test_a_reading_cursor_sends_values_beside_the_statement() -> None:
    with transaction.atomic():
        note("first")
    [(word, sent)] = read(AS_SENT, "first")
    assert (word, sent) == ("first", AS_SENT.replace("%s", "$1"))


def test_in_front_of_a_reading_cursor_s_statement_travels_what_waits() -> None:
    with transaction.atomic():
        note("first")
        [(word, sent)] = read(AS_SENT, "first")
        assert word == "first"
        assert "INSERT INTO" in str(sent)
    assert words() == ["first"]


def test_a_reading_cursor_s_errors_are_django_s_and_its_statements_are_counted() -> None:
    with pytest.raises(DataError), CaptureQueriesContext(connection) as asked:
        read("SELECT 1 / %s::int", 0)
    assert [one["sql"] for one in asked] == ["SELECT 1 / $1::int"]
