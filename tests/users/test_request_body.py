"""A client that pauses while it registers somebody holds nothing meanwhile, though its token is checked late."""

from __future__ import annotations

from apps.users.models import User
from tests.core.half_bodies import JSON, send_and_go_away, send_it_again, status_after_a_pause
from tests.processes import Processes

ME = "/api/v1/users/me"


def test_it_holds_no_transaction_and_no_connection(processes: Processes, bearer: dict[str, str]) -> None:
    body = b'{"email": "slow@example.com", "name": "Slow"}'
    assert status_after_a_pause(processes, "/api/v1/users", body, ME, **bearer, Content_Type=JSON) == 201


def test_half_a_body_is_none(processes: Processes, bearer: dict[str, str]) -> None:
    body, headers = b'{"email": "cut@example.com", "name": "Cut"}', {**bearer, "Content_Type": JSON}
    web = processes.web()
    send_and_go_away(web, "/api/v1/users", body, **headers)
    assert not User.objects.filter(email="cut@example.com").exists()
    whole = send_it_again(web, "/api/v1/users", body, **headers)
    assert whole.status_code == 201, "the half left nothing under the key"
    assert "Idempotency-Replayed" not in whole.headers
