"""What is kept about a person is listed in docs/data-retention.md, and goes in time; all of it, if they are erased."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.models import IdempotentAnswer
from apps.core.queue.work_queue import DeliveryState
from apps.events import deliveries
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.profiles import commands as profiles
from apps.users.commands import EraseNext, UserSnapshot
from apps.users.login_limit import key_of_email
from apps.users.models import Erasure, LoginAttempts, User
from apps.webhooks import commands as webhooks
from apps.webhooks.models import WebhookDelivery
from config.celery import app
from tests.conftest import PASSWORD
from tests.jobs.running import run_jobs
from tests.processes import ROOT

pytestmark = pytest.mark.django_db
EMAIL, NAME = "zenobia.q@example.com", "Zenobia Quixote"
TRACES = ("zenobia", "quixote")
# what remains for a time
KEPT = {
    "events_outboxevent",
    "events_delivery",
    "webhooks_webhookdelivery",
    "core_adminnote",
}
COLUMNS = """SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'"""


def rows_of(sql: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found: list[tuple[str, ...]] = cursor.fetchall()
        return found


def tables_that_know() -> set[str]:
    """The tables with the person's address or name in any column, files as bytes among them."""
    found = set()
    for table, column, kind in rows_of(COLUMNS):
        text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
        for trace in TRACES:
            if rows_of(f"SELECT 1 FROM \"{table}\" WHERE {text} ILIKE '%{trace}%' LIMIT 1"):
                found.add(table)
    return found


def let_pass(days: int) -> None:
    """Move everything in the database into the past."""
    with connection.cursor() as cursor:
        for table, column, kind in rows_of(COLUMNS):
            if kind.startswith("timestamp"):
                cursor.execute(f'UPDATE "{table}" SET "{column}" = "{column}" - interval \'{days} days\'')


def prune() -> None:
    """What beat starts every hour."""
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        app.tasks[entry["task"]]()


@pytest.fixture
def life(register: Callable[..., UserSnapshot], staff: APIClient, anyone: APIClient) -> int:
    """Everything a person can do here; returns their id."""
    webhook = bus.execute(webhooks.RegisterEndpoint("https://93.184.216.34/hook"))
    account = {"email": EMAIL, "name": NAME, "password": PASSWORD}
    user_id = anyone.post("/api/v2/users", account, headers={"Idempotency-Key": "k1"}).json()["id"]
    credentials = {"email": EMAIL, "password": PASSWORD}
    tokens = anyone.post("/api/v1/auth/token", credentials, headers={"Idempotency-Key": "k2"}).json()
    anyone.post("/api/v1/auth/token", credentials | {"password": "wrong"})
    anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    for path, given in (
        ("password-reset", {"email": EMAIL}),
        ("email", {"email": f"new.{EMAIL}", "password": PASSWORD}),
    ):
        assert anyone.post(f"/api/v1/auth/{path}", given).status_code == 202
    anyone.post("/api/v1/process", {"rows": [{"who": NAME}]}, headers={"Idempotency-Key": "k3"})
    staff.generic("POST", "/api/v1/users/import", f"email,name\n{EMAIL},{NAME}\n{NAME},\n", content_type="text/csv")
    bus.execute(profiles.RecordEnrichment(user_id, profiles.Person(NAME, "Quixote & Co", "")))

    fan_out()
    dead = Delivery.objects.filter(receiver="users.send_welcome_email", aggregate=f"user:{user_id}")
    dead.update(state=DeliveryState.DEAD, due_at=None, last_error=f"550 no such user {EMAIL}")
    others = Delivery.objects.filter(state=DeliveryState.PENDING)
    others = others.exclude(receiver="webhooks.fan_out")
    others.update(state=DeliveryState.DELIVERED, due_at=None)
    deliveries.work(seconds=30)
    bus.execute(webhooks.UpdateEndpoint(webhook.id, is_active=False))
    assert WebhookDelivery.objects.filter(state="pending").exists()
    run_jobs()
    return int(user_id)


@pytest.fixture
def browser(register: Callable[..., UserSnapshot]) -> Client:
    """A browser of a staff user in the admin."""
    boss = register("boss@example.org", "Boss", password=PASSWORD, is_staff=True)
    browser = Client()
    assert browser.login(username=boss.email, password=PASSWORD)
    return browser


def act(browser: Client, user_id: int, *actions: str) -> None:
    for action in actions:
        browser.post("/admin/users/user/", {"action": action, "_selected_action": [user_id], "post": "yes"})


def erase() -> None:
    """What a worker does: both passes."""
    for _ in range(2):
        while bus.execute(EraseNext()):
            pass
        Erasure.objects.update(due_at=Now() - timedelta(seconds=1))


def test_what_is_kept_is_written_down_and_goes_in_time(life: int, browser: Client) -> None:
    """Though the account is not erased: it has gone in another way."""
    page = (ROOT / "docs/data-retention.md").read_text()
    act(browser, life, "deactivate", "activate")
    fan_out()
    deliveries.work(seconds=30)
    User.objects.get(id=life).delete()
    gone_with_it, later = page.split("Deleted later")
    known = set(re.findall(r"`([a-z]+_[a-z]+)`", later.split("Outside the database")[0]))
    assert tables_that_know() <= known
    assert tables_that_know() >= KEPT
    assert not tables_that_know() & set(re.findall(r"`([a-z]+_[a-z]+)`", gone_with_it))

    prune()
    assert "events_outboxevent" in tables_that_know()
    let_pass(settings.ENV.event_retention_days + 1)
    prune()
    # the dead delivery keeps the event that it is about; the message waits for an endpoint that is switched off
    assert set(OutboxEvent.objects.values_list("type", flat=True)) >= {"user.created"}
    assert tables_that_know() <= KEPT
    let_pass(settings.ENV.undelivered_retention_days - settings.ENV.event_retention_days)
    prune()
    assert tables_that_know() == {"core_adminnote"}
    let_pass(settings.ENV.admin_log_retention_days - settings.ENV.undelivered_retention_days)
    prune()
    assert tables_that_know() == set()


def test_of_a_person_who_is_erased_no_table_knows(life: int, browser: Client) -> None:
    assert tables_that_know() >= {"users_user"} | KEPT - {"core_adminnote"}
    fan_out()
    before = list(OutboxEvent.objects.order_by("id").values_list("id", "type", "position"))
    act(browser, life, "deactivate", "activate", "delete_selected")
    assert not User.objects.filter(id=life).exists()
    # in the same transaction already, but for what only a worker looks through
    assert tables_that_know() <= {"jobs_refusedlines"}
    assert not IdempotentAnswer.objects.filter(subject_id=life).exists()
    assert not IdempotentAnswer.objects.filter(caller_id=life).exists()
    # whoever was under way writes it down once more
    Delivery.objects.filter(aggregate=f"user:{life}").update(last_error=f"550 {EMAIL}")
    fan_out()
    deliveries.work(seconds=30)

    erase()
    assert tables_that_know() == set()
    assert not Erasure.objects.exists(), "who it was is forgotten too"
    assert not LoginAttempts.objects.filter(key=key_of_email(EMAIL)).exists()
    after = list(OutboxEvent.objects.order_by("id").values_list("id", "type", "position"))
    assert after[: len(before)] == before, "the feed keeps its order and its ids"
    told = OutboxEvent.objects.filter(aggregate=f"user:{life}")
    emails = {data["email"] for data in told.values_list("data", flat=True) if "email" in data}
    assert emails == {f"erased-{life}@erased.invalid"}
    assert told.filter(type="user.deleted").count() == 1


def test_the_page_names_the_times_that_are_set() -> None:
    page = (ROOT / "docs/data-retention.md").read_text()
    for name in ("EVENT_RETENTION_DAYS", "UNDELIVERED_RETENTION_DAYS", "ADMIN_LOG_RETENTION_DAYS"):
        assert f"`{name}` ({getattr(settings.ENV, name.lower())})" in page


def test_events_of_which_nothing_is_left_to_do_do_not_wait_for_the_second_retention(
    register: Callable[..., UserSnapshot],
) -> None:
    register(EMAIL, NAME)
    fan_out()
    Delivery.objects.update(state=DeliveryState.DELIVERED, due_at=None)
    let_pass(settings.ENV.event_retention_days + 1)
    prune()
    assert not OutboxEvent.objects.exists()
    assert tables_that_know() == {"users_user"}
