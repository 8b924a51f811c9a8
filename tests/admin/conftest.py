"""What a browser does in the admin, and something to look at."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.core.models import AdminNote
from apps.core.queue.work_queue import DeliveryState
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot

WELCOME = "users.send_welcome_email"


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
        rows = Delivery.objects.filter(receiver=WELCOME, aggregate=f"user:{boss.id}")
        rows.update(state=DeliveryState.DEAD, due_at=None, last_error="ConnectionError: no mail server")
        return rows.get()

    return give_up


def form_of(answer: Any) -> Any:
    """The form that came back."""
    return answer.context["adminform"].form


def again(answer: Any) -> dict[str, Any]:
    """What a browser would post from the form that came back."""
    form = form_of(answer)
    sent = {name: form[name].value() for name in form.fields if name != "seen"}
    return {name: value for name, value in sent.items() if value not in (None, False)} | {"seen": form.data["seen"]}


def act(client: Client, page: str, action: str, *keys: Any) -> Any:
    """What an action answers to whoever has said yes."""
    chosen = {"action": action, "_selected_action": [str(key) for key in keys], "post": "yes"}
    return client.post(f"/admin/{page}/", chosen, follow=True)


def run(support: Client, page: str, action: str, keys: list[Any], **more: str) -> Any:
    """What the second POST answers, after a check of what the first one says."""
    chosen = {"action": action, "_selected_action": [str(key) for key in keys], "index": "0", **more}
    asked = support.post(f"/admin/{page}/", chosen)
    assert asked.status_code == 200
    said = asked.content.decode()
    assert re.findall(r'name="_selected_action" value="([^"]+)"', said) == chosen["_selected_action"]
    assert not AdminNote.objects.exists(), "nothing is done before the person has said yes"
    return support.post(f"/admin/{page}/", {**chosen, "post": "yes"}, follow=True)


def entry() -> tuple[str, str, str]:
    """Who did what to which row, from the only entry of the log."""
    one = AdminNote.objects.get()
    return one.who, one.message, one.object_id
