"""What is asked at each number of rows, and the rows themselves. Needs Django to be set up for `probes`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from wsgiref.types import WSGIApplication

import psycopg

from tests.performance.probing import Probe, Requests, each, requests

METRICS_TOKEN = "only-for-the-bench"
# rows from %(first)s to %(last)s: a user, its event, and a delivery of it that waits
LOAD = (
    """
    INSERT INTO users_user (email, name, password, is_active, is_staff, version, search)
    SELECT 'user' || i || '@example.com', 'User Number ' || i, '!', true, false, 1,
        'user number ' || i || chr(10) || 'user' || i || '@example.com'
    FROM generate_series(%(first)s::int, %(last)s::int) i""",
    """
    INSERT INTO events_outboxevent (type, aggregate, data, request_id, position)
    SELECT 'user.created', 'user:' || i,
        jsonb_build_object('user_id', i, 'email', 'user' || i || '@example.com', 'name', 'User Number ' || i),
        md5(i::text), i
    FROM generate_series(%(first)s::int, %(last)s::int) i""",
    """
    INSERT INTO events_delivery (event_id, receiver, aggregate, waits, state, attempts, last_error)
    SELECT id, 'test.direct', aggregate, false, 'pending', 0, ''
    FROM events_outboxevent WHERE position BETWEEN %(first)s AND %(last)s""",
)
PATHS = {
    "list of 100 users": ("/api/v1/users", "limit=100"),
    "search, one person's e-mail": ("/api/v1/users", "search=user777%40"),
    "search, a number and all that begin with it": ("/api/v1/users", "search=number%20777"),
    "search, two letters that nobody has": ("/api/v1/users", "search=zq"),
    "feed, 100 events": ("/api/v1/events", "limit=100"),
}
PAGES = {
    "admin: list of users": "/admin/users/user/",
    "admin: list of deliveries": "/admin/events/delivery/",
    "admin: overview": "/admin/",
}
CLAIM, METRICS = "claim of 50 deliveries", "/metrics"
ASKED = (*PATHS, CLAIM, *PAGES, METRICS)


def load(database: psycopg.Connection[Any], first: int, last: int) -> None:
    """Add the rows from `first` to `last`."""
    for statement in LOAD:
        database.execute(statement.encode(), {"first": first, "last": last})
    database.execute("VACUUM ANALYZE")


def probes(application: WSGIApplication, token: str) -> dict[str, Probe]:
    """A probe for each of ASKED; `token` is a staff user's."""
    found = {
        name: requests(application, Requests("GET", [path], query), token) for name, (path, query) in PATHS.items()
    }
    cookie = {"HTTP_COOKIE": _admin_cookie()}
    for name, path in PAGES.items():
        found[name] = requests(application, Requests("GET", [path], headers=lambda: cookie), token)
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {METRICS_TOKEN}"}
    found[METRICS] = requests(application, Requests("GET", ["/metrics"], headers=lambda: bearer), token)
    return found | {CLAIM: each(_claim_and_leave)}


def _admin_cookie() -> str:
    from django.conf import settings
    from django.test import Client

    from apps.users.models import User
    from tests.performance.layers import EMAIL

    client = Client()
    client.force_login(User.objects.with_email(EMAIL).get())
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


class _Undone(Exception):
    """Ends a transaction."""


def _claim_and_leave() -> None:
    """Claim as the worker does, and take it back."""
    from django.db import transaction

    from apps.events.deliveries import BATCH, LEASE_SECONDS
    from apps.events.lines import DIRECT, claim_runs

    with suppress(_Undone), transaction.atomic():
        if len(claim_runs(DIRECT, BATCH, LEASE_SECONDS)) < BATCH:
            raise RuntimeError("there was nothing to claim")
        raise _Undone
