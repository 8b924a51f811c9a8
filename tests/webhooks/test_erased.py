"""What waits for an endpoint, or was sent, is cleaned of who was erased, and of nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from apps.core.bus import bus
from apps.users.commands import DeleteUser, UpdateUser, UserSnapshot
from apps.users.models import User
from apps.webhooks.commands import RegisterEndpoint
from apps.webhooks.models import WebhookDelivery
from tests.users.leavers import EMAIL, work

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


@pytest.fixture
def zoe(register: Register) -> UserSnapshot:
    """A user who will leave."""
    return register(EMAIL, "Zoe Quill")


def test_webhooks_that_wait_tell_the_same_story_under_a_pseudonym(zoe: UserSnapshot, drain: Callable[[], int]) -> None:
    bus.execute(RegisterEndpoint("https://93.184.216.34/hook"))
    bus.execute(UpdateUser(zoe.id, name="Zoe Q"))
    drain()
    WebhookDelivery.objects.update(
        log=[{"at": "now", "status_code": 500, "error": "x", "answer": f"no {EMAIL}"}], last_error=EMAIL
    )
    bus.execute(DeleteUser(zoe.id))
    drain()
    told = list(WebhookDelivery.objects.order_by("id"))
    data = [json.loads(one.body) for one in told]
    assert [(one["type"], one["data"]["user_id"]) for one in data] == [
        ("user.created", zoe.id), ("user.updated", zoe.id), ("user.deleted", zoe.id),
    ]  # fmt: skip
    assert {one["data"]["email"] for one in data} == {f"erased-{zoe.id}@erased.invalid"}
    assert data[1]["data"]["version"] == 2, "what is not personal stays"
    assert EMAIL not in str([(one.log, one.last_error) for one in told])
    assert told[0].log[0]["status_code"] == 500


def test_what_was_told_of_who_had_the_address_before_stays(register: Register, drain: Callable[[], int]) -> None:
    bus.execute(RegisterEndpoint("https://93.184.216.34/hook"))
    before = register(EMAIL)
    User.objects.filter(id=before.id).update(email="elsewhere@example.com")
    zoe = register(EMAIL, "Zoe Quill")
    drain()
    bus.execute(DeleteUser(zoe.id))
    work(2)
    told = [json.loads(one.body)["data"] for one in WebhookDelivery.objects.all()]
    assert [one["email"] for one in told if one["user_id"] == before.id] == [EMAIL]
    assert EMAIL not in [one["email"] for one in told if one["user_id"] != before.id]
