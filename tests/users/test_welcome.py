"""The welcome mail: what the mail server says about one is that delivery's outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.core.mail import kept_connections
from apps.events.deliveries import work_waiting
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from tests.mail_server import Server


@pytest.mark.django_db(transaction=True)
def test_of_many_deliveries_the_refused_one_fails_alone(
    mail_server: Server, register: Callable[..., UserSnapshot]
) -> None:
    for name in ("ada", "bob", "nobody", "eve", "dan"):
        register(f"{name}@example.com")
    fan_out()
    Delivery.objects.exclude(receiver="users.send_welcome_email").update(due_at=None)
    with kept_connections():
        work_waiting(seconds=5, threads=2)
    rows = Delivery.objects.filter(receiver="users.send_welcome_email").order_by("event_id")
    assert list(rows.values_list("state", flat=True)) == ["delivered", "delivered", "failed", "delivered", "delivered"]
    assert "no such user" in rows[2].last_error
    assert mail_server.conversations <= 2
