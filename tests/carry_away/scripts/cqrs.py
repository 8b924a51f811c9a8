"""A command runs in a transaction, a query around it; a compiled read asks the database."""

import os
from dataclasses import dataclass

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}},
)
django.setup()

from django.db import connection, models

from apps.core.bus import Command, Query, bus
from apps.core.reads import CompiledRead


@dataclass(frozen=True)
class Greet(Command[str]):
    """Say hello."""

    name: str


@dataclass(frozen=True)
class ShipsOf(Query[list[dict[str, str]]]):
    """The ships of a captain."""

    captain: str


class Ship(models.Model):
    """A row of another project."""

    name = models.TextField(primary_key=True)
    captain = models.TextField()

    class Meta:
        app_label = "carried"


def greet(command: Greet) -> str:
    assert connection.in_atomic_block, "the bus opens the transaction"
    return f"Hello {command.name}"


with connection.cursor() as cursor:
    cursor.execute("CREATE TEMPORARY TABLE carried_ship AS SELECT 'Beagle' AS name, 'FitzRoy' AS captain")
read = CompiledRead(Ship.objects.filter(captain="ANY").values("name"), captain="ANY")
bus.register(Greet, greet)
bus.register(ShipsOf, lambda query: read.fetch(captain=query.captain))
assert bus.execute(Greet("Ada")) == "Hello Ada"
assert bus.ask(ShipsOf("FitzRoy")) == [{"name": "Beagle"}]
assert bus.ask(ShipsOf("Nemo")) == []
print("used")
