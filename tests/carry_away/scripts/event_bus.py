"""An event is committed with its cause; a relay and a worker bring it to its receiver once."""

import os
import threading
from dataclasses import dataclass
from typing import ClassVar

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["apps.events"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            # tables of its own, whatever else is in this database
            "OPTIONS": {"options": "-c search_path=carried"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import connection, transaction

from apps.events.bus import Event, NotInTransaction, event, on, publish
from apps.events.deliveries import work
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import Relay

welcomed: list[str] = []


@event
@dataclass(frozen=True)
class Arrived(Event):
    """A ship came in."""

    type: ClassVar[str] = "ship.arrived"
    name: str

    @property
    def aggregate(self) -> str:
        return f"ship:{self.name}"


@on(Arrived)
def welcome(happened: Arrived) -> None:
    """Remember it."""
    assert connection.in_atomic_block
    welcomed.append(happened.name)


with connection.cursor() as cursor:
    cursor.execute("DROP SCHEMA IF EXISTS carried CASCADE; CREATE SCHEMA carried; CREATE SEQUENCE events_position")
try:
    with connection.schema_editor() as editor:
        editor.create_model(OutboxEvent)
        editor.create_model(Delivery)
    try:
        publish(Arrived("Ghost"))
    except NotInTransaction:
        with transaction.atomic():
            publish(Arrived("Beagle"))
    # no broker here: the wake-up fails in a bounded time and the work is found anyway
    relay = Relay(threading.Event())
    relay._broker_away_until = float("inf")
    assert relay.turn() == 1
    assert work(seconds=10) == 1
    assert welcomed == ["Beagle"]
    assert list(Delivery.objects.values_list("state", flat=True)) == ["delivered"]
    print("used")
finally:
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA carried CASCADE")
