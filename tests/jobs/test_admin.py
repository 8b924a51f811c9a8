"""Jobs in the admin."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.jobs.commands import CancelJob, SubmitJob
from apps.jobs.models import Job
from apps.jobs.queries import ListKinds
from apps.users.commands import UserSnapshot
from tests.admin.conftest import entry, run

pytestmark = pytest.mark.django_db


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


def test_actions_of_a_job_that_another_cancels_meanwhile(support: Client, boss: UserSnapshot) -> None:
    job_id = bus.execute(SubmitJob("process", boss.id, {"rows": []}))
    chosen = {"action": "cancel", "_selected_action": [str(job_id)], "index": "0"}
    support.post("/admin/jobs/job/", chosen)
    bus.execute(CancelJob(job_id))
    answer = support.post("/admin/jobs/job/?status__exact=PENDING", {**chosen, "post": "yes"}, follow=True)
    assert "None of the selected rows is there any more." in answer.content.decode()


def test_the_kinds_of_jobs_are_those_that_have_handlers(support: Client) -> None:
    kinds = {"process", "import_users", "export"}
    assert bus.ask(ListKinds()) == sorted(kinds)
    assert set(re.findall(r"\?kind=(\w+)", support.get("/admin/jobs/job/").content.decode())) == kinds


def test_a_search_finds_by_number_and_owner(support: Client, boss: UserSnapshot) -> None:
    job_id = bus.execute(SubmitJob("process", boss.id, {"rows": []}))
    bus.execute(SubmitJob("process", None, {"rows": []}))
    for term in (job_id, "BOSS@EXAMPLE.COM"):
        listed = support.get(f"/admin/jobs/job/?q={term}")
        assert listed.context["cl"].result_count == 1, term
