"""Where a user is logged in: shown to them, and ended by them or by staff, at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users import session_queries
from apps.users.commands import EndSession, EndSessions, IssueToken, UserSnapshot
from apps.users.models import Session, User
from apps.users.queries import ReadToken
from apps.users.tokens import AccessTokens
from tests.conftest import PASSWORD
from tests.core.racing import at_once, held_open, waiting_for_a_lock
from tests.users.browsers import AUTH, LOGOUT, SESSIONS, Browser
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


class TestList:
    """GET /auth/sessions."""

    def test_it_shows_where_and_what_newest_first(self, ada: UserSnapshot) -> None:
        phone = Browser(HTTP_USER_AGENT="Phone/1.0", REMOTE_ADDR="2001:db8:7:8::9")
        laptop = Browser(HTTP_USER_AGENT="Laptop/2.0", REMOTE_ADDR="203.0.113.77")
        answer = laptop.client.get(SESSIONS)
        assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
        first, second = answer.json()["results"]
        assert (first["network"], first["user_agent"], first["current"]) == ("203.0.113.0/24", "Laptop/2.0", True)
        assert (second["network"], second["user_agent"], second["current"]) == ("2001:db8:7::/48", "Phone/1.0", False)
        assert set(first) == {
            "id", "created_at", "last_used_at", "expires_at", "network", "user_agent", "current",
        }  # fmt: skip
        assert first["created_at"] == first["last_used_at"] < first["expires_at"]
        assert [row["current"] for row in phone.sessions()] == [False, True]

    def test_a_refresh_says_when_and_from_where_and_an_ordinary_request_writes_nothing(self, ada: UserSnapshot) -> None:
        phone = Browser(HTTP_USER_AGENT="Phone/1.0", REMOTE_ADDR="203.0.113.77")
        before = phone.sessions()
        with CaptureQueriesContext(connection) as captured:
            assert phone.client.get("/api/v1/users/me", REMOTE_ADDR="198.51.100.1").status_code == 200
        assert not [query for query in captured.captured_queries if not query["sql"].startswith("SELECT")]
        assert phone.sessions() == before
        assert phone.refresh(HTTP_USER_AGENT="Phone/1.1", REMOTE_ADDR="198.51.100.1") == 200
        (row,) = phone.sessions()
        assert (row["id"], row["network"], row["user_agent"]) == (before[0]["id"], "198.51.100.0/24", "Phone/1.1")
        assert row["last_used_at"] > row["created_at"] == before[0]["created_at"]

    @pytest.mark.parametrize(
        ("said", "shown"),
        [("x" * 5000, "x" * 200), ("a\0b\x1b[31m\ud800", "a b [31m"), ("  ", None), ("<b>é</b>", "<b>é</b>")],
        ids=["long", "control", "empty", "markup"],
    )
    def test_what_a_client_calls_itself_is_bounded(self, ada: UserSnapshot, said: str, shown: str | None) -> None:
        (row,) = Browser(HTTP_USER_AGENT=said).sessions()
        assert row["user_agent"] == shown

    def test_one_statement_and_a_bound_that_never_hides_the_callers_own(
        self, ada: UserSnapshot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        oldest = Browser()
        with CaptureQueriesContext(connection) as captured:
            assert oldest.client.get(SESSIONS).status_code == 200
        assert len(captured) == 1
        own = oldest.id
        newer = [Browser().id for _ in range(3)]
        monkeypatch.setattr(session_queries, "MOST_LISTED", 2)
        assert [row["id"] for row in oldest.sessions()] == [newer[-1], own]

    def test_what_is_over_or_of_somebody_else_is_not_there(self, ada: UserSnapshot, register: Register) -> None:
        register("eve@example.com", password=PASSWORD)
        Browser("eve@example.com")
        expired, ended, own = Browser(), Browser(), Browser()
        Session.objects.filter(id=expired.id).update(expires_at=Now())
        assert ended.client.post(LOGOUT).status_code == 204
        assert [row["id"] for row in own.sessions()] == [own.id]

    @pytest.mark.parametrize("method", ["get", "delete"])
    def test_nobody_and_the_inactive_are_refused(self, ada: UserSnapshot, anyone: APIClient, method: str) -> None:
        browser = Browser()
        assert getattr(anyone, method)(SESSIONS).status_code == 401
        User.objects.update(is_active=False)
        assert getattr(browser.client, method)(SESSIONS).status_code == 401


class TestEnd:
    """What ends a session ends its access tokens and its refresh token, and no other's."""

    def test_one_of_ones_own(self, ada: UserSnapshot) -> None:
        phone, laptop = Browser(), Browser()
        assert laptop.client.delete(f"{SESSIONS}/{phone.id}").status_code == 204
        assert (phone.alive, phone.refresh(), laptop.alive, laptop.refresh()) == (False, 401, True, 200)

    def test_this_one_by_logging_out(self, ada: UserSnapshot) -> None:
        phone, laptop = Browser(), Browser()
        assert phone.client.post(LOGOUT, headers={"Idempotency-Key": "k"}).status_code == 204
        assert (phone.alive, phone.refresh(), laptop.alive) == (False, 401, True)
        assert phone.client.post(LOGOUT, headers={"Idempotency-Key": "k"}).status_code == 401, "no replay for the dead"

    def test_all_others(self, ada: UserSnapshot, register: Register) -> None:
        register("eve@example.com", password=PASSWORD)
        phone, laptop, eve = Browser(), Browser(), Browser("eve@example.com")
        assert laptop.client.delete(SESSIONS).status_code == 204
        assert (phone.alive, phone.refresh(), laptop.alive, eve.alive) == (False, 401, True, True)
        assert [row["current"] for row in laptop.sessions()] == [True]

    def test_not_somebody_elses_nor_one_that_is_over(
        self, ada: UserSnapshot, register: Register, staff: APIClient
    ) -> None:
        register("eve@example.com", password=PASSWORD)
        eve, own, over = Browser("eve@example.com"), Browser(), Browser()
        over_id = over.id
        over.client.post(LOGOUT)
        for client in (own.client, staff):
            for wrong in (eve.id, over_id, str(uuid.uuid4())):
                answer = client.delete(f"{SESSIONS}/{wrong}")
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert eve.alive
        assert own.client.delete(f"{SESSIONS}/{own.id.upper()}").status_code == 204, "either letter case"
        assert not own.alive

    def test_logging_out_takes_no_body(self, ada: UserSnapshot) -> None:
        browser = Browser()
        assert browser.client.post(LOGOUT, {"all": True}).json()["errors"][0]["code"] == "unknown"
        assert browser.alive

    def test_it_asks_the_database_for_nothing_more_than_before(self, ada: UserSnapshot) -> None:
        browser = Browser()
        with CaptureQueriesContext(connection) as captured:
            assert browser.client.get("/api/v1/users/me").status_code == 200
        assert len(captured) == 1


class TestTokensOfCommands:
    """What manage.py issue_token prints, and tokens without a session."""

    def test_a_printed_token_is_a_session_that_its_user_sees_and_ends(self, ada: UserSnapshot) -> None:
        token = bus.execute(IssueToken(ada.email))
        browser = Browser()
        shown = next(row for row in browser.sessions() if not row["current"])
        assert (shown["network"], shown["user_agent"]) == (None, "manage.py issue_token")
        printed = APIClient()
        printed.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        assert [row["current"] for row in printed.get(SESSIONS).json()["results"]] == [False, True]
        assert browser.client.delete(f"{SESSIONS}/{shown['id']}").status_code == 204
        assert printed.get("/api/v1/users/me").status_code == 401

    def test_a_token_without_a_session_sees_all_as_others_and_cannot_log_out(self, ada: UserSnapshot) -> None:
        browser, client = Browser(), APIClient()
        tokens: AccessTokens = bus._handlers[ReadToken].__self__._tokens  # type: ignore[attr-defined]
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.issue(ada.id)}")
        assert [row["current"] for row in client.get(SESSIONS).json()["results"]] == [False]
        refused = client.post(LOGOUT)
        assert (refused.status_code, refused.json()["code"]) == (409, "no_session")
        assert client.delete(SESSIONS).status_code == 204
        assert not browser.alive
        assert client.get(SESSIONS).json() == {"results": []}


@pytest.mark.django_db(transaction=True)
class TestRaces:
    """Whatever happens at the same moment, what was ended does not go on."""

    def test_of_two_that_end_one_session_one_does(self, ada: UserSnapshot) -> None:
        browser, phone = Browser(), Browser()
        path, header = f"{SESSIONS}/{phone.id}", {"Authorization": f"Bearer {browser.access}"}
        answers: list[Any] = at_once(4, lambda _: APIClient().delete(path, headers=header))
        assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]

    @pytest.mark.parametrize("end", ["one", "others"])
    def test_a_refresh_that_waits_behind_the_end_is_refused(self, ada: UserSnapshot, end: str) -> None:
        phone = Browser()
        ending = EndSession(ada.id, uuid.UUID(phone.id)) if end == "one" else EndSessions(ada.id)
        with ThreadPoolExecutor(1) as pool:
            with held_open(lambda: bus.execute(ending)):
                refresh = pool.submit(at_once, 1, lambda _: phone.refresh())
                wait_for(waiting_for_a_lock, "the refresh waits for the end")
            assert refresh.result(30) == [401]
        assert not phone.alive

    def test_a_log_in_that_was_under_way_when_everything_ended_is_refused(self, ada: UserSnapshot) -> None:
        with ThreadPoolExecutor(1) as pool:
            with held_open(lambda: bus.execute(EndSessions(ada.id))):
                login = pool.submit(at_once, 1, lambda _: APIClient().post(
                    f"{AUTH}/token", {"email": ada.email, "password": PASSWORD}
                ))  # fmt: skip
                wait_for(waiting_for_a_lock, "the log-in waits for the end")
            (answer,) = login.result(30)
        assert answer.status_code == 401  # type: ignore[union-attr] # an answer
        assert not Session.objects.filter(revoked_at=None).exists()
