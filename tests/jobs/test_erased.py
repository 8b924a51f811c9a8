"""What jobs keep is cleaned of who was erased, and nobody else loses anything by it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.events.models import OutboxEvent
from apps.jobs.commands import SubmitJob
from apps.jobs.models import Chunk, Job, RefusedLines
from apps.users.commands import DeleteUser, UserSnapshot
from apps.users.models import Erasure, User
from tests.jobs.running import run_jobs
from tests.users.leavers import EMAIL, work

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


@pytest.mark.parametrize(
    ("text", "erased"),
    [
        ("m@corp.example", True),
        ("mail to M@Corp.example.", True),
        ("<m@corp.example>,x", True),
        ("line\nm@corp.example", True),
        ("tom@corp.example", False),
        ("x.m@corp.example", False),
        ("m@corp.example.org", False),
        ("m@corp.example-two", False),
    ],
)
def test_a_longer_address_is_another_one(register: Register, text: str, erased: bool) -> None:
    user = register("m@corp.example")
    job = bus.execute(SubmitJob("process", None, {}))
    Job.objects.filter(id=job).update(due_at=None, finished_at=Now(), error=text, result={"text": text})
    RefusedLines.objects.create(job_id=job, data=f"1,“{text}”\n".encode())
    bus.execute(DeleteUser(user.id))
    work()
    row = Job.objects.get(id=job)
    lines = bytes(RefusedLines.objects.get().data).decode()
    assert row.result
    for said in (row.error, row.result["text"], lines):
        assert (f"erased-{user.id}@erased.invalid" in said) == erased, said
        assert (text in said) != erased


@pytest.mark.parametrize(
    "email", ['"a..b"@example.com', "o'neill@example.com", "a%b_c+d.e{f}@example.com", "a|b*@example.com"]
)
def test_whatever_an_address_is_written_with(register: Register, email: str) -> None:
    user = register(email)
    job = bus.execute(SubmitJob("process", None, {}))
    Job.objects.filter(id=job).update(due_at=None, finished_at=Now(), error=f"no {user.email}", result=[user.email])
    bus.execute(DeleteUser(user.id))
    work(2)
    pseudonym = f"erased-{user.id}@erased.invalid"
    assert (Job.objects.get(id=job).error, Job.objects.get(id=job).result) == (f"no {pseudonym}", [pseudonym])
    assert not Erasure.objects.exists()


def test_a_file_is_not_lost_to_who_only_says_that_an_address_in_it_is_theirs(
    zoe: UserSnapshot, staff: APIClient
) -> None:
    sent = staff.generic("POST", "/api/v1/users/import", f"email,name\n{EMAIL},Zoe\n", content_type="text/csv")
    Job.objects.filter(id=sent.json()["task_id"]).update(status="FAILURE", due_at=None, finished_at=Now())
    bus.execute(DeleteUser(zoe.id))
    work(2)
    assert Chunk.objects.count() == 1


class TestJobs:
    """Their own jobs go; in other people's only their address."""

    def test_their_own_are_stopped_and_deleted(self, zoe: UserSnapshot) -> None:
        bus.execute(SubmitJob("process", zoe.id, {"rows": [{"who": "Zoe Quill"}]}))
        run_jobs()
        waiting = bus.execute(SubmitJob("process", zoe.id, {}, upload=BytesIO(b'{"rows":[{"who":"Zoe Quill"}]}')))
        bus.execute(DeleteUser(zoe.id))
        row = Job.objects.get(id=waiting)
        assert (row.status, row.owner_id, row.input, row.due_at) == ("REVOKED", None, None, None)
        assert OutboxEvent.objects.filter(aggregate=f"job:{waiting}", type="job.finished").count() == 1
        run_jobs()
        work()
        assert not Job.objects.exists()
        assert not Chunk.objects.exists()

    def test_in_those_of_others_their_address_is_erased(
        self, zoe: UserSnapshot, staff: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = "/api/v1/users/import"
        User.objects.filter(id=zoe.id).update(email_verified_at=Now())
        # in two pieces of the file
        monkeypatch.setattr("apps.jobs.repositories.PIECE_BYTES", 20)
        failed = staff.generic("POST", path, f"email,name\n{EMAIL.upper()},Zoe Quill\n", content_type="text/csv")
        waiting = staff.generic("POST", path, f"email,name\n{EMAIL},Zoe Quill\n", content_type="text/csv")
        failed_id, waiting_id = failed.json()["task_id"], waiting.json()["task_id"]
        told = {"errors": [{"line": 2, "detail": f"{EMAIL.upper()} is no good"}], "zoe": "zoe.quill-x@example.com"}
        Job.objects.filter(id=failed_id).update(
            status="FAILURE", due_at=None, finished_at=Now(), error=f"no {EMAIL}", result=told
        )
        RefusedLines.objects.create(job_id=failed_id, data=f"2,invalid,ä {EMAIL}\r\n".encode())
        bus.execute(DeleteUser(zoe.id))
        work()
        pseudonym = f"erased-{zoe.id}@erased.invalid"
        row = Job.objects.get(id=failed_id)
        assert (row.error, row.input) == (f"no {pseudonym}", None)
        assert row.result == {"errors": [{"line": 2, "detail": f"{pseudonym} is no good"}], "zoe": told["zoe"]}
        assert not Chunk.objects.filter(job_id=failed_id).exists()
        assert bytes(RefusedLines.objects.get().data).decode() == f"2,invalid,ä {pseudonym}\r\n"
        assert Chunk.objects.filter(job_id=waiting_id).exists(), "what waits is still done"
