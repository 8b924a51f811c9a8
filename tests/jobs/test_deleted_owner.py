"""A file whose owner is deleted while it comes in: a clear refusal at every entrance, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from apps.jobs.models import Chunk, Job
from apps.jobs.repositories import Jobs
from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
CSV = b"email,name\nada@example.com,Ada\n"


def delete_all() -> None:
    """Delete all owners, as another process would, committed at once."""
    try:
        User.objects.all().delete()
    finally:
        connection.close()


@pytest.fixture
def deleted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every owner is deleted while the file of a job is kept."""
    keep = Jobs.keep_file

    def keep_and_delete(*file: Any) -> None:
        keep(*file)
        with ThreadPoolExecutor(1) as other:
            other.submit(delete_all).result(30)

    monkeypatch.setattr(Jobs, "keep_file", keep_and_delete)


@pytest.mark.usefixtures("deleted_meanwhile")
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["plain", "keyed"])
@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [("users/import", CSV, "text/csv"), ("process", b'{"rows":[{"a":1}]}', "application/json")],
)
def test_over_http(
    register: Callable[..., UserSnapshot],
    client_of: Callable[..., APIClient],
    path: str,
    body: bytes,
    kind: str,
    key: dict[str, str],
) -> None:
    client = client_of(register(is_staff=True))
    answer: Any = client.generic("POST", f"/api/v1/{path}", body, content_type=kind, headers=key)  # type: ignore[arg-type] # stubs
    assert (answer.status_code, answer.json()["code"]) == (409, "gone")
    assert not Job.objects.exists()
    assert not Chunk.objects.exists()


@pytest.mark.usefixtures("deleted_meanwhile")
def test_in_the_admin(register: Callable[..., UserSnapshot]) -> None:
    register("boss@example.com", "Boss", is_staff=True, password=PASSWORD)
    browser = Client()
    assert browser.login(email="boss@example.com", username="boss@example.com", password=PASSWORD)
    answer = browser.post("/admin/users/user/import/", {"file": SimpleUploadedFile("people.csv", CSV), "kind": ""})
    assert answer.status_code == 409
    assert "was deleted meanwhile; nothing was kept" in answer.content.decode()
    assert not Job.objects.exists()
