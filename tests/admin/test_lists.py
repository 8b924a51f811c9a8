"""The admin's lists: as many statements for thirty rows as for one, none of them as long as the table."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.backoffice import lists as admin_lists
from apps.core.backoffice import overview
from apps.core.bus import bus
from apps.core.reads import CAP
from apps.events.bus import EVENTS, RECEIVERS
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from apps.jobs.commands import SubmitJob
from apps.profiles.models import Profile
from apps.users.commands import IssueToken, RegisterUser, UserSnapshot
from apps.users.models import User
from apps.webhooks import commands as webhooks
from apps.webhooks.models import WebhookDelivery

pytestmark = pytest.mark.django_db
LISTS = [
    "users/user",
    "profiles/profile",
    "events/outboxevent",
    "events/delivery",
    "jobs/job",
    "webhooks/endpoint",
    "webhooks/webhookdelivery",
    "core/adminnote",
    "users/session",
]
ONLY_LOOKED_AT = [
    "events/outboxevent",
    "events/delivery",
    "jobs/job",
    "webhooks/webhookdelivery",
    "profiles/profile",
]


def make(first: int, last: int) -> None:
    """A row of everything for each number."""
    for number in range(first, last):
        user = bus.execute(RegisterUser(f"user{number}@example.com", f"User {number}"))
        bus.execute(IssueToken(user.email))
        Profile.objects.create(user_id=user.id)  # of profiles
        bus.execute(SubmitJob("process", user.id, {"rows": []}))
        bus.execute(webhooks.RegisterEndpoint(f"https://93.184.216.34/{number}"))
        bus.execute(webhooks.FanOut((webhooks.Told(number, "user.created", '{"type":"user.created"}'),)))
    fan_out()


def statements(support: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = support.get(address)
    assert answer.status_code == 200, answer["Location"]
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("page", LISTS)
def test_thirty_rows_take_as_many_statements_as_one(support: Client, page: str) -> None:
    make(0, 1)
    support.post("/admin/users/user/", {"action": "deactivate", "_selected_action": [User.objects.last().pk]})  # type: ignore[union-attr]
    one = statements(support, f"/admin/{page}/")
    make(1, 30)
    thirty = statements(support, f"/admin/{page}/")
    assert len(thirty) == len(one) <= 6, thirty


@pytest.mark.parametrize("page", LISTS)
def test_no_list_counts_or_compares_the_whole_table(support: Client, page: str) -> None:
    make(0, 2)
    for statement in statements(support, f"/admin/{page}/"):
        assert "DISTINCT" not in statement
        if "COUNT(" in statement:
            assert f"LIMIT {CAP + 1}" in statement


def test_large_columns_stay_where_they_are(support: Client) -> None:
    make(0, 1)
    for page, columns in {
        "jobs/job": ("input", "checkpoint", "result"),
        "events/outboxevent": ("data",),
        "webhooks/webhookdelivery": ("body", "log"),
    }.items():
        for statement in statements(support, f"/admin/{page}/"):
            assert not [name for name in columns if f'."{name}"' in statement], statement


def test_a_long_list_says_that_it_goes_on(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "CAP", 100)
    monkeypatch.setattr(admin_lists, "CAP", 100)
    User.objects.bulk_create([User(email=f"many{n}@example.com", name="Many") for n in range(150)])
    page = support.get("/admin/users/user/").content.decode()
    assert "100+ users" in page
    assert "?p=2" in page
    assert "?p=3" not in page, "two pages of 50 are 100"


def test_days_are_offered_without_reading_the_table(support: Client) -> None:
    make(0, 1)
    User.objects.update(created_at="2024-02-27T12:00:00Z")
    bus.execute(RegisterUser("late@example.com", "Late"))
    User.objects.filter(email="late@example.com").update(created_at="2026-01-02T23:59:00Z")

    def offered(query: str) -> list[str]:
        html = support.get(f"/admin/users/user/{query}").content.decode()
        return re.findall(r"<a href=[^>]*>\s*([^<]*)", html.partition('class="toplinks"')[2].partition("</nav>")[0])

    assert offered("") == ["2024", "2025", "2026"]
    assert offered("?created_at__year=2024")[:3] == ["&lsaquo; All dates", "February 2024", "March 2024"]
    assert offered("?created_at__year=2026&created_at__month=1") == ["&lsaquo; 2026", "1", "2"]
    chosen = "?created_at__year=2026&created_at__month=1&created_at__day=2"
    assert offered(chosen) == ["&lsaquo; January 2026"]
    page = support.get(f"/admin/users/user/{chosen}").content.decode()
    assert "late@example.com" in page
    assert "user0@example.com" not in page


@pytest.mark.parametrize("year", ["0", "9999", "99999", "x"])
@pytest.mark.parametrize("month", ["", "&created_at__month=13", "&created_at__month=2&created_at__day=31"])
def test_days_that_there_are_not(support: Client, year: str, month: str) -> None:
    answer = support.get(f"/admin/users/user/?created_at__year={year}{month}", follow=True)
    assert answer.status_code == 200


def test_searches_find_by_what_has_an_index(support: Client, boss: UserSnapshot) -> None:
    make(0, 3)
    event = OutboxEvent.objects.get(aggregate=f"user:{boss.id}")
    OutboxEvent.objects.filter(pk=event.pk).update(request_id="request-of-boss")
    for address, found in {
        "users/user/?q=BOSS@example.com": 1,
        f"users/user/?q={boss.id}": 1,
        "users/user/?q=User": 3,
        f"events/outboxevent/?q=user:{boss.id}": 1,
        "events/outboxevent/?q=request-of-boss": 1,
        f"events/delivery/?q={event.id}": Delivery.objects.filter(event=event).count(),
        "events/delivery/?q=request-of-boss": Delivery.objects.filter(event=event).count(),
        "profiles/profile/?q=user1@example.com": 1,
        "webhooks/webhookdelivery/?q=2": WebhookDelivery.objects.filter(message_id="evt_2").count(),
        "webhooks/webhookdelivery/?q=evt_1": WebhookDelivery.objects.filter(message_id="evt_1").count(),
    }.items():
        listed = support.get(f"/admin/{address}")
        assert listed.context["cl"].result_count == found > 0, address


@pytest.mark.parametrize("page", LISTS)
@pytest.mark.parametrize("term", ["nobody", "9" * 30, "a:b", "'", "%00", "x@y"])
def test_a_search_for_nonsense_is_no_error(support: Client, page: str, term: str) -> None:
    assert support.get(f"/admin/{page}/?q={term}", follow=True).status_code == 200


def test_filters_offer_what_the_code_knows(support: Client, boss: UserSnapshot) -> None:
    fan_out()
    assert set(EVENTS) <= set(
        re.findall(r"\?type=([\w.]+)", support.get("/admin/events/outboxevent/").content.decode())
    )
    deliveries = support.get("/admin/events/delivery/").content.decode()
    assert set(RECEIVERS) <= set(re.findall(r"\?receiver=([\w.]+)", deliveries))


def test_a_delivery_is_found_by_its_links(support: Client, dead_letter: Callable[[], Delivery]) -> None:
    """user → events → deliveries → event → user, as a person would click."""
    delivery = dead_letter()
    user = User.objects.get()
    event = f"/admin/events/outboxevent/{delivery.event_id}/change/"
    trail = [
        (f"/admin/users/user/{user.pk}/change/", f"/admin/events/outboxevent/?aggregate=user%3A{user.pk}"),
        (f"/admin/events/outboxevent/?aggregate=user:{user.pk}", f"/admin/events/delivery/?event={delivery.event_id}"),
        (event, f"/admin/events/delivery/{delivery.pk}/change/"),
        (event, f"/admin/webhooks/webhookdelivery/?message_id=evt_{delivery.event_id}"),
        (f"/admin/events/delivery/?event={delivery.event_id}", f"/admin/users/user/{user.pk}/change/"),
        (f"/admin/events/delivery/{delivery.pk}/change/", f"/admin/users/user/{user.pk}/change/"),
        (f"/admin/users/user/{user.pk}/change/", f"/admin/jobs/job/?owner={user.pk}"),
    ]
    for page, link in trail:
        answer = support.get(page)
        assert answer.status_code == 200, page
        assert f'href="{link}' in answer.content.decode(), (page, link)


def test_history_is_only_looked_at(support: Client, dead_letter: Callable[[], Delivery]) -> None:
    address = f"/admin/events/delivery/{dead_letter().pk}/change/"
    page = support.get(address).content.decode()
    assert 'name="_save"' not in page
    assert support.post(address, {"state": "delivered"}).status_code == 403
    for page in ONLY_LOOKED_AT:
        assert support.get(f"/admin/{page}/add/").status_code == 403
