"""A client that pauses while it registers an endpoint."""

from __future__ import annotations

from apps.core.bus import bus
from apps.users.commands import IssueToken, UserSnapshot
from tests.core.half_bodies import JSON, status_after_a_pause
from tests.processes import Processes


def test_it_holds_no_transaction_and_no_connection(processes: Processes, boss: UserSnapshot) -> None:
    headers = {"Authorization": f"Bearer {bus.execute(IssueToken(boss.email))}", "Content_Type": JSON}
    body = b'{"url": "https://93.184.216.34/hook"}'
    assert status_after_a_pause(processes, "/api/v1/webhooks", body, "/api/v1/users/me", **headers) == 201
