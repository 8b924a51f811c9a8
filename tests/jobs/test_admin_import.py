"""Users from a file, by the admin: a clear message for a wrong file, else the job that the API would start."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client

from apps.core.backoffice.log import address_of
from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.jobs.commands import RunNextJob
from apps.jobs.models import Chunk, Job
from apps.jobs.repositories import PIECE_BYTES
from apps.jobs.services import MOST_UNFINISHED
from apps.users import admin_import
from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
PAGE = "/admin/users/user/import/"


def give(support: Client, content: bytes, name: str = "people.csv", kind: str = "") -> Any:
    return support.post(PAGE, {"file": SimpleUploadedFile(name, content), "kind": kind}, follow=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("people.csv", b"email,name\nada@example.com,Ada\nada@example.com,Again\nnobody,Nobody\n"),
        (
            "PEOPLE.NDJSON",
            b'{"email":"ada@example.com","name":"Ada"}\n{"email":"ADA@example.com","name":"A"}\n{"email":"x","name":"X"}',
        ),
        ("people.csv", "email,name\nada@example.com,Ada\nada@example.com,A\nnobody,N\n".encode("utf-16")),
    ],
)
def test_a_file_becomes_a_job_with_a_page(support: Client, boss: UserSnapshot, name: str, content: bytes) -> None:
    answer = give(support, content, name)
    job = Job.objects.get()
    page = f"/admin/jobs/job/{job.pk}/change/"
    assert answer.redirect_chain == [(page, 302)]
    assert 'http-equiv="refresh"' in answer.content.decode(), "it runs"
    assert (job.kind, job.owner_id) == ("import_users", boss.id)
    entry = AdminNote.objects.get()
    assert (entry.user_id, entry.object_id, address_of(entry)) == (boss.id, str(job.pk), page)
    assert name in entry.message
    bus.execute(RunNextJob())
    assert User.objects.filter(email="ada@example.com").exists()
    said = support.get(page).content.decode()
    assert "refresh" not in said, "it has ended"
    assert "&quot;created&quot;: 1" in said
    assert "email_taken" in said
    assert "This is not an e-mail address" in said
    whole = f"/admin/jobs/job/{job.pk}/refused-lines.csv"
    assert f'href="{whole}"' in said
    download = b"".join(support.get(whole).streaming_content).decode()  # type: ignore[attr-defined]
    assert [line.split(",")[1] for line in download.splitlines()] == ["code", "email_taken", "invalid"]
    assert Client().get(whole).status_code == 302, "to the log-in"


@pytest.mark.parametrize(
    ("name", "kind", "content", "reason"),
    [
        ("people.csv", "", b"", "The file is empty."),
        ("people.csv", "", b"email,name\n", "The file has no lines to import."),
        ("people.csv", "", b"ada@example.com,Ada\n", "The first line must be the header email,name."),
        ("people.csv", "", b"PK\x03\x04\0\0\0\0", "a spreadsheet has to be saved as CSV first"),
        ("people.csv", "", "email,name\nada@example.com,Zoë".encode("latin-1"), "not text in UTF-8"),
        ("people.xlsx", "", b"email,name\na@example.com,A\n", "people.xlsx ends neither in .csv nor in .ndjson"),
        ("people.ndjson", "", b"email,name\na@example.com,A\n", "Line 1: The line is no JSON object"),
        ("people.txt", "application/x-ndjson", b"[]", "Line 1: The line is no JSON object"),
        ("people.csv", "text/html", b"email,name\na@example.com,A\n", "is not one of the available choices"),
    ],
)
def test_a_wrong_file_is_refused_in_clear_words(
    support: Client, name: str, kind: str, content: bytes, reason: str
) -> None:
    answer = give(support, content, name, kind)
    assert answer.status_code == 400
    assert reason in answer.content.decode()
    assert not Job.objects.exists()
    assert not AdminNote.objects.exists()


def test_no_file_is_refused(support: Client) -> None:
    answer = support.post(PAGE, {"kind": ""})
    assert (answer.status_code, "Choose a file." in answer.content.decode()) == (400, True)


def test_a_file_too_large_is_refused_before_and_after_it_is_read(
    support: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_import, "LIMIT_BYTES", 1000)
    content = b"email,name\n" + b"a@example.com,A\n" * 200
    after = give(support, content)
    monkeypatch.setattr(admin_import, "FORM_BYTES", 10)
    before = give(support, content)
    for answer, status in ((after, 400), (before, 413)):
        assert answer.status_code == status
        assert "The file is larger than" in answer.content.decode()
    assert not Job.objects.exists()


def test_the_file_is_on_the_disk_and_not_in_memory(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[type] = []
    check = admin_import.problem_of

    def look(file: TemporaryUploadedFile, kind: str) -> str:
        kinds.append(type(file))
        return check(file, kind)

    monkeypatch.setattr(admin_import, "problem_of", look)
    give(support, b"email,name\nada@example.com,Ada\n")
    assert kinds == [TemporaryUploadedFile]


def test_it_goes_to_the_job_piece_by_piece(support: Client) -> None:
    give(support, b"email,name\n" + b"ada@example.com,Ada\n" * 50_000)
    sizes = [len(data) for data in Chunk.objects.order_by("number").values_list("data", flat=True)]
    assert (len(sizes), sum(sizes)) == (2, 1_000_011)
    assert max(sizes) == PIECE_BYTES


def test_more_jobs_than_anyone_may_have_are_a_page_that_says_so(support: Client) -> None:
    for _ in range(MOST_UNFINISHED):
        give(support, b"email,name\nada@example.com,Ada\n")
    answer = give(support, b"email,name\nada@example.com,Ada\n")
    assert answer.status_code == 429
    assert f"You have {MOST_UNFINISHED} jobs that have not ended" in answer.content.decode()
    assert Job.objects.count() == MOST_UNFINISHED


def test_it_needs_the_token_of_the_form_and_staff(boss: UserSnapshot) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    file = SimpleUploadedFile("people.csv", b"email,name\nada@example.com,Ada\n")
    assert strict.post(PAGE, {"file": file}).status_code == 403
    anyone = Client().post(PAGE, {"file": SimpleUploadedFile("people.csv", b"email,name\na@example.com,A\n")})
    assert anyone.status_code == 302
    assert "/admin/login/" in anyone["Location"]
    assert not Job.objects.exists()


def test_the_page_is_linked_where_one_looks_for_it(support: Client) -> None:
    for page in ("/admin/", "/admin/users/user/"):
        assert PAGE in support.get(page).content.decode()
