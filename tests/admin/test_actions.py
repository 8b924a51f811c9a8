"""The admin's actions: each asks first, naming what it will touch, acts through the bus, and is in the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from apps.core.backoffice import actions as admin_actions
from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.core.resilience.breakers import GetBreakers
from apps.events.models import Delivery
from apps.jobs.commands import CancelJob, SubmitJob
from apps.jobs.models import Job
from apps.users.commands import UserSnapshot
from apps.users.models import User
from apps.webhooks.commands import FanOut, RegisterEndpoint, Told
from apps.webhooks.models import Endpoint, WebhookDelivery
from tests.admin.conftest import changed

pytestmark = pytest.mark.django_db


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


@pytest.fixture
def endpoint(boss: UserSnapshot) -> Endpoint:
    made = bus.execute(RegisterEndpoint("https://93.184.216.34/hook"))
    return Endpoint.objects.get(pk=made.id)


def test_a_dead_letter_is_replayed(support: Client, dead_letter: Callable[[], Delivery]) -> None:
    delivery = dead_letter()
    answer = run(support, "events/delivery", "replay", [delivery.pk])
    assert "1 delivery: will be tried again." in answer.content.decode()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.replayed_by) == ("pending", "boss@example.com")
    assert entry() == ("boss@example.com", "will be tried again", str(delivery.pk))


def test_from_the_page_of_a_row_it_leads_back_there(support: Client, dead_letter: Callable[[], Delivery]) -> None:
    delivery = dead_letter()
    page = f"/admin/events/delivery/{delivery.pk}/change/"
    assert 'value="replay"' in support.get(page).content.decode()
    answer = run(support, "events/delivery", "replay", [delivery.pk], back="row")
    assert answer.redirect_chain == [(page, 302)]
    assert 'value="replay"' not in answer.content.decode(), "there is nothing to try again now"


def test_what_a_command_refuses_is_said_and_the_others_are_done(
    support: Client, dead_letter: Callable[[], Delivery]
) -> None:
    dead = dead_letter()
    good = Delivery.objects.exclude(pk=dead.pk).earliest("pk")
    answer = run(support, "events/delivery", "replay", sorted([dead.pk, good.pk], reverse=True))
    said = answer.content.decode()
    assert "1 delivery: will be tried again." in said
    assert f"no failed or dead delivery with id {good.pk}" in said
    assert entry()[2] == str(dead.pk)


def test_too_many_at_once_are_refused(
    support: Client, dead_letter: Callable[[], Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_letter()
    monkeypatch.setattr(admin_actions, "MOST_ROWS", 1)
    chosen = {"action": "replay", "_selected_action": ["1"], "select_across": "1", "index": "0"}
    answer = support.post("/admin/events/delivery/", chosen, follow=True)
    assert "Select up to 1 rows at a time; nothing was done." in answer.content.decode()


def test_a_job_is_cancelled_once_and_run_again(support: Client, boss: UserSnapshot) -> None:
    job_id = bus.execute(SubmitJob("process", boss.id, {"rows": []}))
    run(support, "jobs/job", "cancel", [job_id])
    assert Job.objects.get().status == "REVOKED"
    assert entry() == ("boss@example.com", "cancelled", str(job_id))
    AdminNote.objects.all().delete()
    refused = run(support, "jobs/job", "cancel", [job_id])
    assert "The job has already ended: REVOKED." in refused.content.decode()
    run(support, "jobs/job", "run_again", [job_id])
    assert Job.objects.get().status == "PENDING"


def test_a_webhook_is_switched_off_and_on(support: Client, endpoint: Endpoint) -> None:
    for action, active, done in (("disable", False, "switched off"), ("enable", True, "switched on")):
        AdminNote.objects.all().delete()
        run(support, "webhooks/endpoint", action, [endpoint.pk])
        assert Endpoint.objects.get().is_active is active
        assert entry() == ("boss@example.com", done, str(endpoint.pk))


def test_a_new_secret_is_shown_once(support: Client, endpoint: Endpoint) -> None:
    before = endpoint.secret
    answer = run(support, "webhooks/endpoint", "rotate", [endpoint.pk])
    assert len(set(re.findall(r"whsec_[\w+/=]+", answer.content.decode()))) == 1
    assert "no-store" in answer["Cache-Control"]
    endpoint.refresh_from_db()
    assert (endpoint.previous_secret, endpoint.secret == before) == (before, False)
    assert entry() == ("boss@example.com", "secret rotated", str(endpoint.pk))
    for page in ("", f"{endpoint.pk}/change/", f"{endpoint.pk}/history/"):
        assert "whsec_" not in support.get(f"/admin/webhooks/endpoint/{page}").content.decode()


def test_a_webhook_delivery_is_sent_again(support: Client, endpoint: Endpoint) -> None:
    bus.execute(FanOut((Told(1, "user.created", '{"type":"user.created"}'),)))
    delivery = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(state="dead", due_at=None, attempts=8)
    run(support, "webhooks/webhookdelivery", "send_again", [delivery.pk])
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.due_at is None) == ("pending", 0, False)
    assert entry() == ("boss@example.com", "will be sent again", str(delivery.pk))


def test_a_user_is_deactivated_and_activated_but_not_by_themselves(
    support: Client, boss: UserSnapshot, register: Callable[..., UserSnapshot]
) -> None:
    ada = register()
    for action, active in (("deactivate", False), ("activate", True)):
        AdminNote.objects.all().delete()
        run(support, "users/user", action, [ada.id])
        assert User.objects.get(pk=ada.id).is_active is active
        assert entry() == ("boss@example.com", f"{action}d", str(ada.id))
    AdminNote.objects.all().delete()
    assert "You would lock yourself out." in run(support, "users/user", "deactivate", [boss.id]).content.decode()
    assert User.objects.get(pk=boss.id).is_active


def test_a_breaker_is_closed(support: Client, valkey: redis.Redis) -> None:
    valkey.hset(f"{settings.VALKEY_PREFIX}breaker:people", mapping={"state": "open", "opened": 0, "failures": 0})
    assert bus.ask(GetBreakers()) == {"people": "open"}
    asked = support.post("/admin/breakers/", {"name": "people"})
    assert "people, open now" in asked.content.decode()
    assert bus.ask(GetBreakers()) == {"people": "open"}
    answer = support.post("/admin/breakers/", {"name": "people", "post": "yes"}, follow=True)
    assert "The breaker people is closed." in answer.content.decode()
    assert bus.ask(GetBreakers()) == {"people": "closed"}
    assert entry() == ("boss@example.com", "closed by hand", "people")
    listed = support.get("/admin/core/adminnote/").content.decode()
    assert "circuit breaker people" in listed
    assert support.get("/admin/").status_code == 200
    unknown = support.post("/admin/breakers/", {"name": "nobody", "post": "yes"}, follow=True)
    assert "There is no breaker" in unknown.content.decode()


def test_deleting_names_the_rows_without_reading_what_goes_with_them(support: Client, endpoint: Endpoint) -> None:
    bus.execute(FanOut((Told(1, "user.created", '{"type":"user.created"}'),)))
    asked = support.get(f"/admin/webhooks/endpoint/{endpoint.pk}/delete/").content.decode()
    assert f"{endpoint}, with everything that belongs to it" in asked
    support.post(f"/admin/webhooks/endpoint/{endpoint.pk}/delete/", {"post": "yes"})
    assert not Endpoint.objects.exists()
    assert entry()[0] == "boss@example.com"


def test_a_refusal_while_a_form_is_saved_is_said(support: Client, register: Callable[..., UserSnapshot]) -> None:
    ada = register()
    from apps.core.errors import Conflict
    from apps.users.commands import UpdateUser

    def refuse(command: UpdateUser) -> UserSnapshot:
        raise Conflict("Not today.")

    with bus.replaced(UpdateUser, refuse):
        page = f"/admin/users/user/{ada.id}/change/"
        answer = support.post(page, changed(support, page, name="Ada L."), follow=True)
    assert "Not today." in answer.content.decode()


def test_actions_of_a_job_that_another_cancels_meanwhile(support: Client, boss: UserSnapshot) -> None:
    job_id = bus.execute(SubmitJob("process", boss.id, {"rows": []}))
    chosen = {"action": "cancel", "_selected_action": [str(job_id)], "index": "0"}
    support.post("/admin/jobs/job/", chosen)
    bus.execute(CancelJob(job_id))
    answer = support.post("/admin/jobs/job/?status__exact=PENDING", {**chosen, "post": "yes"}, follow=True)
    assert "None of the selected rows is there any more." in answer.content.decode()
