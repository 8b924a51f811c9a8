"""POST /users/me/export: all that is kept about somebody, for nobody but them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.personal import HOLDINGS
from apps.events.bus import publish
from apps.jobs.commands import PruneJobs, SubmitJob
from apps.jobs.models import Job
from apps.users import export
from apps.users.commands import UserSnapshot
from apps.users.events import UserUpdated
from apps.users.models import User
from tests.jobs.running import run_jobs
from tests.users.leavers import EMAIL, ME

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


class TestExport:
    """POST /users/me/export."""

    @pytest.fixture
    def task(self, as_zoe: APIClient) -> str:
        answer = as_zoe.post(f"{ME}/export", headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 202
        assert as_zoe.post(f"{ME}/export", headers={"Idempotency-Key": "k1"}).content == answer.content
        run_jobs()
        task: str = answer.json()["task_id"]
        assert answer["Location"].endswith(task)
        return task

    def test_it_tells_all_that_is_kept(self, zoe: UserSnapshot, as_zoe: APIClient, task: str) -> None:
        found = as_zoe.get(f"/api/v1/tasks/{task}").json()
        assert (found["status"], found["kind"]) == ("SUCCESS", "export")
        holdings = found["result"]["holdings"]
        assert set(holdings) == {name for name, holding in HOLDINGS.items() if holding.tell}
        (account,) = holdings["account"]["rows"]
        assert (account["id"], account["email"], account["name"]) == (zoe.id, EMAIL, "Zoe Quill")
        (event,) = holdings["events"]["rows"]
        assert event["data"]["email"] == EMAIL
        assert len(holdings["sessions"]["rows"]) == 1
        assert not [name for name, one in holdings.items() if one["left_off"]]
        password = User.objects.get(id=zoe.id).password
        assert password not in json.dumps(found)

    def test_nobody_else_sees_it(
        self, as_zoe: APIClient, staff: APIClient, register: Register, client: Client, task: str
    ) -> None:
        assert staff.get(f"/api/v1/tasks/{task}").status_code == 404
        assert staff.delete(f"/api/v1/tasks/{task}").status_code == 404
        client.force_login(User.objects.get(email="staff@example.com"))
        page = client.get(f"/admin/jobs/job/{task}/change/").content.decode()
        assert "Only the owner may see it" in page
        assert "Zoe" not in page

    def test_it_goes_after_a_day_and_with_the_person(self, zoe: UserSnapshot, as_zoe: APIClient, task: str) -> None:
        bus.execute(PruneJobs())
        assert Job.objects.filter(id=task).exists()
        Job.objects.update(finished_at=Now() - timedelta(days=1, minutes=1))
        bus.execute(PruneJobs())
        assert not Job.objects.filter(id=task).exists()

    def test_it_is_bounded_and_says_so(
        self, zoe: UserSnapshot, as_zoe: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(5):
            publish(UserUpdated(zoe.id, EMAIL, f"Zoe {number}"))
        monkeypatch.setattr(export, "MOST_ROWS", 3)
        task = as_zoe.post(f"{ME}/export").json()["task_id"]
        run_jobs()
        events = as_zoe.get(f"/api/v1/tasks/{task}").json()["result"]["holdings"]["events"]
        assert [row["data"]["name"] for row in events["rows"]] == ["Zoe 4", "Zoe 3", "Zoe 2"]
        assert events["left_off"]
        monkeypatch.setattr(export, "MOST_BYTES", 400)
        task = as_zoe.post(f"{ME}/export").json()["task_id"]
        run_jobs()
        holdings = as_zoe.get(f"/api/v1/tasks/{task}").json()["result"]["holdings"]
        assert len(json.dumps([one["rows"] for one in holdings.values()])) < 500
        assert holdings["events"]["left_off"]

    def test_of_a_user_who_is_gone_nothing_is_told(self, zoe: UserSnapshot) -> None:
        task = bus.execute(SubmitJob("export", zoe.id, {}, private=True))
        Job.objects.filter(id=task).update(owner_id=None)
        run_jobs()
        row = Job.objects.get(id=task)
        assert (row.status, row.result) == ("FAILURE", None)
