"""A use case as a bound method: the transaction is the bus's, a refusal is an error of the domain and keeps nothing."""

import os
from dataclasses import dataclass

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}},
)
django.setup()

from django.db import connection

from apps.core.bus import Command, bus
from apps.core.errors import Conflict


@dataclass(frozen=True)
class Book(Command[int]):
    """Take seats; answers how many are left. Refused with Conflict."""

    seats: int


class Booking:
    """The use cases of a small theatre, whose seats are rows of a table."""

    def book(self, command: Book) -> int:
        """Take the seats first and check afterwards: a rule that fails undoes what was written."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE carried_seats SET free = free - %s RETURNING free", [command.seats])
            free: int = cursor.fetchone()[0]
        if free < 0:
            raise Conflict("There are not so many seats.")
        return free


with connection.cursor() as cursor:
    cursor.execute("CREATE TEMPORARY TABLE carried_seats AS SELECT 2 AS free")
bus.register(Book, Booking().book)
assert bus.execute(Book(1)) == 1
try:
    bus.execute(Book(5))
except Conflict:
    assert bus.execute(Book(0)) == 1, "nothing of the refused command was kept"
    print("used")
