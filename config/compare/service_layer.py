"""Service layer: 50 people register one e-mail address at the same moment, in two spellings."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction
from django.test import Client, override_settings
from django.urls import path

from apps.users.models import User
from config.compare.naive.service_layer import Customer, register
from config.compare.outcome import Comparison, Figures, only_naive_has
from config.compare.processes import in_threads, wait_for
from config.compare.world import fresh

RACERS = 50
SPELLINGS = ("ada@example.com", "Ada@Example.com")
BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
urlpatterns = [path("customers", register)]


def naive() -> Figures:
    """The view of the naive service."""
    fresh()
    with connection.schema_editor() as editor:
        editor.create_model(Customer)
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        return _race("/customers", Customer)


def ours() -> Figures:
    """The service's own route."""
    fresh()
    return _race("/api/v1/users", User)


def _race(url: str, model: type[models.Model]) -> Figures:
    with _nobody_inserts_until_all_wait(model._meta.db_table):
        statuses = Counter(in_threads(RACERS, lambda number: _post(url, SPELLINGS[number % 2])))
    return {
        "registrations": RACERS,
        "accounts": model._default_manager.count(),
        "answers_201": statuses[201],
        "answers_409": statuses[409],
        "answers_500": statuses[500],
        "duplicates_or_500s": model._default_manager.count() - 1 + statuses[500],
    }


def _post(url: str, email: str) -> int:
    client = Client(raise_request_exception=False)
    return client.post(url, {"email": email, "name": "Ada"}, content_type="application/json").status_code


@contextmanager
def _nobody_inserts_until_all_wait(table: str) -> Iterator[None]:
    """A lock that lets everybody read `table` makes every insert wait until all have come so far: a perfect race."""
    locked = threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
            locked.set()
            wait_for(blocked, "every racer waits to insert")
        connection.close()

    def blocked() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(BLOCKED, [table])
            return bool(cursor.fetchone()[0] == RACERS)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(60)
    yield
    holder.join()


COMPARISON = Comparison(
    promise="Whoever races for an e-mail address, one gets it and each of the others is told that it is taken.",
    headline="duplicates_or_500s",
    naive=naive,
    ours=ours,
    kept=only_naive_has("duplicates_or_500s"),
    note="Counted are answers with 500, and accounts beyond the first.",
)
