"""Work that is asked for while whoever asks is deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.core.errors import DomainError
from apps.core.models import IdempotentAnswer
from apps.jobs.commands import SubmitJob
from apps.jobs.models import Job
from apps.users.commands import DeleteUser, IssueToken, RegisterUser, UserSnapshot
from apps.users.models import User
from tests.conftest import PASSWORD
from tests.core.racing import overtaken

pytestmark = pytest.mark.django_db(transaction=True)
EMAIL = "ada@example.com"
KEY = {"Idempotency-Key": "k1"}


@pytest.fixture
def ada(transactional_db: None) -> UserSnapshot:
    """A staff user, besides another one who stays."""
    bus.execute(RegisterUser("boss@example.com", "Boss", is_staff=True))
    return bus.execute(RegisterUser(EMAIL, "Ada", PASSWORD, is_staff=True))


@pytest.mark.parametrize("headers", [{}, KEY], ids=["", "keyed"])
@pytest.mark.parametrize("path", ["process", "users/import"])
def test_work_for_somebody_who_is_deleted_is_refused(ada: UserSnapshot, path: str, headers: dict[str, str]) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {bus.execute(IssueToken(EMAIL))}")
    bodies: dict[str, tuple[Any, str]] = {
        "process": ('{"rows": []}', "application/json"),
        "users/import": ("email,name\nx@example.com,X\n", "text/csv"),
    }
    body, kind = bodies[path]
    answer = overtaken(
        DeleteUser(ada.id), lambda: client.generic("POST", f"/api/v1/{path}", body, content_type=kind, headers=headers)
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "gone")
    assert not Job.objects.exists()
    assert not IdempotentAnswer.objects.exists()


def test_in_the_admin_too(ada: UserSnapshot) -> None:
    browser = Client()
    assert browser.login(username=EMAIL, password=PASSWORD)
    form = {"file": SimpleUploadedFile("people.csv", b"email,name\nx@example.com,X\n")}
    answer = overtaken(DeleteUser(ada.id), lambda: browser.post("/admin/users/user/import/", form))
    assert answer.status_code == 409
    assert "deleted meanwhile" in answer.content.decode()


def test_a_job_that_is_kept_meanwhile_is_refused(ada: UserSnapshot) -> None:
    """Its foreign key is checked when it commits, so the deletion comes first."""
    refused = overtaken(DeleteUser(ada.id), lambda: bus.execute(SubmitJob("process", ada.id, {})))
    assert isinstance(refused, DomainError)
    assert not User.objects.filter(id=ada.id).exists()
    assert not Job.objects.exists()
