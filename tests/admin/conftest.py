"""A support person in the admin, and something to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.core.bus import bus
from apps.core.queue.work_queue import DeliveryState
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import RegisterUser, UserSnapshot
from tests.conftest import PASSWORD

WELCOME = "users.send_welcome_email"


@pytest.fixture
def boss(db: None) -> UserSnapshot:
    """The support person."""
    return bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))


@pytest.fixture
def support(boss: UserSnapshot) -> Client:
    """The admin, logged in."""
    client = Client()
    assert client.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    return client


def changed(support: Client, page: str, **changes: Any) -> dict[str, Any]:
    """What a browser would post from the page of a row with some of its values changed; False: unticked."""
    form = support.get(page).context["adminform"].form
    given = {name: form[name].value() for name in form.fields if name != "seen"}
    sent = {name: value for name, value in {**given, **changes}.items() if value not in (None, False)}
    return {**sent, "seen": form["seen"].subwidgets[0].data["value"]}


@pytest.fixture
def dead_letter(boss: UserSnapshot) -> Callable[[], Delivery]:
    """Makes a dead letter of the boss's welcome e-mail."""

    def give_up() -> Delivery:
        fan_out()
        rows = Delivery.objects.filter(receiver=WELCOME)
        rows.update(state=DeliveryState.DEAD, due_at=None, last_error="ConnectionError: no mail server")
        return rows.get()

    return give_up
