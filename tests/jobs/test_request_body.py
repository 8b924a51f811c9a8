"""A file that comes slowly, or only half."""

from __future__ import annotations

import pytest

from apps.core.bus import bus
from apps.jobs.models import Job
from apps.users.commands import IssueToken, UserSnapshot
from tests.core.half_bodies import send_and_go_away, send_it_again, status_after_a_pause
from tests.processes import Processes

IMPORT = "/api/v1/users/import"


@pytest.fixture
def headers(boss: UserSnapshot) -> dict[str, str]:
    """Those of an import."""
    return {"Authorization": f"Bearer {bus.execute(IssueToken(boss.email))}", "Content_Type": "text/csv"}


def test_half_a_file_is_no_job(processes: Processes, headers: dict[str, str]) -> None:
    web, body = processes.web(), b"email,name\none@example.com,One\ncut@example.com,C"
    send_and_go_away(web, IMPORT, body, **headers)
    assert not Job.objects.exists()
    whole = send_it_again(web, IMPORT, body, **headers)
    assert whole.status_code == 202, "the half left nothing under the key"
    assert "Idempotency-Replayed" not in whole.headers


def test_a_client_that_pauses_holds_no_transaction_and_no_connection(
    processes: Processes, headers: dict[str, str]
) -> None:
    body = b"email,name\n" + b"s@x.de,S\n" * 9000
    assert status_after_a_pause(processes, IMPORT, body, "/api/v1/users/me", **headers) == 202
