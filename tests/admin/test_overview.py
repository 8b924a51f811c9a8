"""The admin's first page: numbers that stop counting, and panels that fail alone."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
import redis
from django.conf import settings
from django.core.checks import run_checks
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.backoffice import overview
from apps.core.backoffice.overview import Bars, Content, Figure, activity, capped, draw, said
from apps.core.bus import bus
from apps.core.http.middleware.rate_limit import REFUSALS_KEPT_SECONDS, refusals
from apps.core.resilience.circuit_breaker import SharedCircuitBreaker
from apps.core.resilience.valkey import Unavailable, Valkey
from apps.events.models import Delivery, OutboxEvent
from apps.jobs.commands import SubmitJob
from apps.users.commands import RegisterUser, UserSnapshot
from apps.users.models import User
from tests.configured import configured
from tests.processes import ROOT

PREFIX = settings.VALKEY_PREFIX

pytestmark = pytest.mark.django_db
TITLES = [
    "Outbox",
    "Event deliveries",
    "Webhooks",
    "Jobs",  # of jobs
    "Newest events",
    "Users",
    "Circuit breakers",
    "Rate limit",
]


def figures(title: str) -> dict[str, str]:
    """The numbers of one panel."""
    (panel,) = [one for one in draw() if one.title == title]
    assert panel.content is not None, panel.reason
    return {figure.label: figure.value for figure in panel.content.figures}


def test_the_page_shows_every_panel(
    support: Client, dead_letter: Callable[[], Delivery], breaker: SharedCircuitBreaker
) -> None:
    delivery = dead_letter()
    bus.execute(SubmitJob("process", None, {"rows": []}))
    page = support.get("/admin/").content.decode()
    assert [title for title in re.findall(r"<h2>(?:<a href=[^>]*>)?([^<]*)", page) if title in TITLES] == TITLES
    assert 'class="reason"' not in page
    assert f'<a href="/admin/events/delivery/{delivery.pk}/change/">users.send_welcome_email</a>' in page
    assert "no mail server" in page
    assert figures("Event deliveries")["dead"] == "1"
    assert figures("Jobs")["PENDING"] == "1"  # of jobs
    assert figures("Circuit breakers") == {breaker.name: "closed"}


def test_nothing_in_the_page_needs_script_or_style_of_its_own(support: Client) -> None:
    bus.execute(RegisterUser("ada@example.com", "Ada"))
    for page in (
        "",
        "breakers/",
        "users/user/import/",
        "users/user/",
        "events/outboxevent/",
    ):
        html = support.get(f"/admin/{page}").content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html), page
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html)), page


def test_the_age_of_the_oldest_is_that_of_its_event(boss: UserSnapshot, dead_letter: Callable[[], Delivery]) -> None:
    bus.execute(RegisterUser("early@example.com", "Early"))
    assert figures("Outbox")["waiting in the outbox"] == "2"
    dead_letter()
    OutboxEvent.objects.update(occurred_at=Now() - timedelta(hours=3))
    bus.execute(RegisterUser("late@example.com", "Late"))
    shown = figures("Outbox")
    assert shown["age of the oldest"] == "3 h"
    assert shown["waiting in the outbox"] == "1"
    assert int(shown["deliveries pending or failed"]) == Delivery.objects.filter(due_at__isnull=False).count() > 0


def test_counting_stops_at_the_cap(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "CAP", 10)
    User.objects.bulk_create([User(email=f"many{n}@example.com", name="Many") for n in range(20)])
    with CaptureQueriesContext(connection) as captured:
        assert said(capped(User.objects.all())) == "10+"
    assert "LIMIT 11" in captured.captured_queries[0]["sql"]
    assert said(capped(User.objects.filter(email="boss@example.com"))) == "1"


def test_every_statement_of_the_page_is_bounded(support: Client) -> None:
    """Each reads a number of rows that does not grow with the table: up to a LIMIT, or one by its key."""
    with CaptureQueriesContext(connection) as captured:
        draw()
    for query in captured.captured_queries:
        sql = query["sql"]
        if sql.startswith(("SAVEPOINT", "RELEASE", "SELECT set_config")):
            continue
        assert "LIMIT" in sql or '"id" = ' in sql or '"id" IS NULL' in sql, sql


def test_a_panel_that_fails_shows_its_reason_and_the_page_is_there(
    support: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Content:
        raise RuntimeError("out of <order>")

    def slow() -> Content:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        return Content()

    def wrong() -> Content:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
        return Content()

    def fine() -> Content:
        return Content([Figure("users", str(User.objects.count()))])

    monkeypatch.setattr(overview, "STATEMENT_MS", 1000)
    monkeypatch.setattr(
        overview, "PANELS", [overview.Panel(one.__name__, "breakers", 0, one) for one in (broken, slow, wrong, fine)]
    )
    page = support.get("/admin/").content.decode()
    assert "RuntimeError: out of &lt;order&gt;" in page
    assert "The database took longer than 1 s to count this." in page
    assert "The database refused: relation" in page
    assert "<dt>users</dt><dd>1</dd>" in page


def test_bars_stand_where_the_rows_are(boss: UserSnapshot) -> None:
    rows = [User(email=f"u{n}@example.com", name="U") for n in range(6)]
    User.objects.bulk_create(rows)
    for number, minutes in enumerate((0, 0, 1, 1, 59, 61)):
        moment = Now() - timedelta(minutes=minutes, seconds=5)
        User.objects.filter(email=f"u{number}@example.com").update(created_at=moment)
    bars = activity("Users", "users_user", "created_at", "minute", 60)
    assert len(bars.values) == 60
    assert (bars.values[0], bars.values[-2], bars.values[-1]) == (1, 2, 3)
    assert bars.total == 6, "the one of an hour ago is past; the boss is of this minute"


def test_bars_are_drawn_to_scale() -> None:
    drawn = Bars("Events", "minute", [0, 1, 500, 1000]).bars
    assert [(bar.x, bar.height) for bar in drawn] == [(10, 3), (20, 50), (30, 100)]
    assert [bar.title for bar in drawn] == ["2 minutes ago: 1", "1 minute ago: 500", "this minute: 1,000"]
    assert Bars("Events", "hour", [0] * 24).bars == []


def test_refusals_are_counted_where_every_process_sees_them(support: Client, valkey: redis.Redis) -> None:
    with configured(rate_limit_per_minute=2):
        client = APIClient()
        statuses = [client.get("/api/v1/users").status_code for _ in range(5)]
    assert statuses.count(429) == 3
    counted = refusals(Valkey(settings.ENV.redis_url, timeout=1.0, prefix=PREFIX), 60)
    assert (len(counted), sum(counted), sum(counted[-2:])) == (60, 3, 3)
    for key in valkey.keys(f"{PREFIX}refused:*"):
        assert 0 < valkey.ttl(key) <= REFUSALS_KEPT_SECONDS
    assert figures("Rate limit") == {"refused in the last hour": "3"}


def test_refusals_of_each_minute_have_a_bar(valkey: redis.Redis) -> None:
    minute = int(time.time()) // 60
    valkey.set(f"{PREFIX}refused:{minute - 30}", 7)
    valkey.set(f"{PREFIX}refused:{minute - 90}", 9)
    counted = refusals(Valkey(settings.ENV.redis_url, timeout=1.0, prefix=PREFIX), 60)
    assert sum(counted) == 7


def test_without_valkey_the_panel_says_so(support: Client) -> None:
    with configured(redis_url="redis://127.0.0.1:1/0"):
        page = support.get("/admin/")
    assert page.status_code == 200
    assert "Valkey does not answer" in page.content.decode()
    with pytest.raises(Unavailable):
        refusals(Valkey("redis://127.0.0.1:1/0"), 60)


def test_admin_pages_are_checked_and_loaded_with_the_urls_alone() -> None:
    import_module("config.urls")
    assert run_checks(tags=["admin"]) == []
    program = "import django; django.setup(); import sys; assert 'apps.users.admin' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
