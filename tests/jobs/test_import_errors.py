"""Every refused line of an import, as a download."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.queue.work_queue import LeaseLost
from apps.jobs.commands import PruneJobs, RunNextJob
from apps.jobs.models import Chunk, Job, RefusedLines
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.run import Run
from apps.jobs.services import JobService
from apps.users import imports
from apps.users.commands import UserSnapshot

pytestmark = pytest.mark.django_db(transaction=True)
LINES = 2500
BODY = "email,name\n" + "".join(f"no-mail-{i},X\n" for i in range(LINES)) + "ada@example.com,Ada\n"


def post(client: APIClient, body: str) -> str:
    """Upload `body`; returns the path of the task."""
    answer: Any = client.generic("POST", "/api/v1/users/import", body.encode(), content_type="text/csv")  # type: ignore[arg-type] # stubs
    assert answer.status_code == 202, answer.content
    return str(answer["Location"])


def downloaded(answer: Any) -> list[list[str]]:
    """The rows of a CSV answer."""
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


def test_all_of_them_are_there_for_the_owner_and_for_staff(
    staff: APIClient, register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient], anyone: APIClient
) -> None:
    where = post(staff, BODY)
    assert staff.get(f"{where}/errors").status_code == 404, "none so far"
    bus.execute(RunNextJob())
    result = staff.get(where).json()["result"]
    assert (result["rejected"], len(result["errors"])) == (LINES, 1000)
    answer = staff.get(f"{where}/errors")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment;")
    rows = downloaded(answer)
    assert rows[0] == ["line", "code", "detail"]
    assert [int(line) for line, _, _ in rows[1:]] == list(range(2, LINES + 2))
    assert rows[1][1:] == ["invalid", "This is not an e-mail address, e.g. ada@example.com."]
    head = staff.head(f"{where}/errors")
    assert (head.status_code, b"".join(head.streaming_content)) == (200, b"")  # type: ignore[attr-defined] # stubs
    eve = client_of(register("eve@example.com"))
    refused = eve.get(f"{where}/errors")
    assert (refused.status_code, refused["Content-Type"]) == (404, "application/problem+json")
    assert anyone.get(f"{where}/errors").status_code == 401


def test_a_job_without_any_has_no_list(staff: APIClient) -> None:
    where = post(staff, "email,name\nada@example.com,Ada\n")
    bus.execute(RunNextJob())
    assert staff.get(f"{where}/errors").json()["code"] == "not_found"


def test_a_batch_that_is_rolled_back_leaves_none_and_a_repeat_none_twice(
    staff: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "FIRST_BATCH_LINES", 1000)
    monkeypatch.setattr(imports, "BATCH_LINES", 1000)
    where = post(staff, BODY)
    runs = 0
    whole = Run.report

    def cut_off(*report: Any, **more: Any) -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise LeaseLost("as if the worker had been killed")
        whole(*report, **more)

    monkeypatch.setattr(Run, "report", cut_off)
    bus.execute(RunNextJob())
    assert len(downloaded(staff.get(f"{where}/errors"))) == 1001
    Job.objects.update(due_at="2020-01-01T00:00:00Z")
    bus.execute(RunNextJob())
    rows = downloaded(staff.get(f"{where}/errors"))
    assert [int(line) for line, _, _ in rows[1:]] == list(range(2, LINES + 2))


def test_they_are_pruned_with_their_job_a_few_jobs_at_a_time(
    staff: APIClient, django_assert_max_num_queries: Any
) -> None:
    wheres = [post(staff, BODY) for _ in range(5)]
    while bus.execute(RunNextJob()):
        pass
    Job.objects.exclude(id=wheres[-1].rpartition("/")[2]).update(finished_at=Now() - timedelta(days=2))
    service = JobService(Jobs(), JobQueue(), {}, timedelta(days=1), prune_batch=2)
    with django_assert_max_num_queries(24):
        assert service.prune(PruneJobs()) == 4
    assert Job.objects.count() == 1
    assert set(RefusedLines.objects.values_list("job_id", flat=True)) == {Job.objects.get().id}
    assert not Chunk.objects.exists()


def test_duplicates_in_the_file_and_in_the_database_are_counted_apart(
    staff: APIClient, register: Callable[..., UserSnapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH_LINES", 3)
    register("taken@example.com")
    emails = ["a", "A", "b", "a", "taken", "b", "c", "TAKEN", "c"]
    where = post(staff, "email,name\n" + "".join(f"{email}@example.com,X\n" for email in emails))
    bus.execute(RunNextJob())
    result = staff.get(where).json()["result"]
    assert (result["created"], result["duplicates"]) == (3, {"in_file": 4, "in_database": 2})
    assert {error["code"] for error in result["errors"]} == {"email_taken"}
