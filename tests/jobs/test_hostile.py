"""What somebody does to a job at the worst moment, or with the worst input."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.queue import work_queue
from apps.jobs import repositories
from apps.jobs.commands import CancelJob, RunNextJob, SubmitJob
from apps.jobs.models import Job
from apps.users.commands import UserSnapshot

pytestmark = pytest.mark.django_db


def test_a_job_cancelled_between_claim_and_start_stays_cancelled(
    register: Callable[..., UserSnapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = bus.execute(SubmitJob("process", register().id, {"rows": [{"a": 1}]}))
    claim = work_queue.claim

    def claim_and_be_cancelled(*args: object, **kwargs: object) -> list[uuid.UUID]:
        ids: list[uuid.UUID] = claim(*args, **kwargs)  # type: ignore[arg-type] # passed through
        bus.execute(CancelJob(job_id))
        return ids

    monkeypatch.setattr(repositories, "claim", claim_and_be_cancelled)
    bus.execute(RunNextJob())
    job = Job.objects.get()
    assert (job.status, job.result) == ("REVOKED", None)


@pytest.mark.parametrize(
    "numbers",
    ["18446744073709551615, -9223372036854775808", "1e20, 1e300", "1.7e308, -1.7e308", "1" * 30],
)
def test_numbers_of_any_size_are_counted(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient], numbers: str
) -> None:
    client = client_of(register())
    rows = ",".join(f'{{"a":{number}}}' for number in numbers.split(","))
    answer = client.generic("POST", "/api/v1/process", f'{{"rows":[{rows}]}}', content_type="application/json")
    bus.execute(RunNextJob())
    task = client.get(answer["Location"])
    assert task.status_code == 200
    assert task.json()["status"] == "SUCCESS"


def test_a_body_nested_too_deeply_is_refused(staff: APIClient) -> None:
    body = '{"rows":[{"a":' + "[" * 500 + "]" * 500 + "}]}"
    answer = staff.generic("POST", "/api/v1/process", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


def test_the_id_of_a_job_may_come_in_capitals(
    register: Callable[..., UserSnapshot], client_of: Callable[..., APIClient]
) -> None:
    client = client_of(register())
    path, _, task_id = client.post("/api/v1/process", {"rows": []}).headers["Location"].rpartition("/")
    assert client.get(f"{path}/{task_id.upper()}").json()["task_id"] == task_id
    for wrong in (task_id[:-1], task_id + "0", task_id.replace("-", ""), "{" + task_id + "}"):
        assert client.get(f"{path}/{wrong}").status_code == 404
