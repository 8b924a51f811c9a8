"""Middleware: without it each process counts for itself, any header buys a new limit, and no answer can be traced."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import redis
from django.conf import settings
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from apps.users.commands import UserSnapshot
from tests import loopback
from tests.configured import configured as with_settings
from tests.core.racing import at_once
from tests.processes import Processes
from tests.waiting import wait_for

Register = Callable[..., UserSnapshot]
ClientOf = Callable[[UserSnapshot | None], APIClient]
CLOSED_PORT = "redis://127.0.0.1:1/0"
PATH = "/api/v1/users"


@contextmanager
def configured(**changes: Any) -> Iterator[APIClient]:
    """A client of a service with other settings."""
    with with_settings(**changes):
        yield APIClient()


def remaining(answer: Any) -> int:
    """The requests left, as the RateLimit header says."""
    found = re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert found, answer.headers["RateLimit"]
    assert 0 < int(found[2]) <= 60
    return int(found[1])


class TestRateLimit:
    """A caller may send a number of requests in a minute, whichever process answers."""

    def test_two_processes_count_as_one_and_go_on_after_a_wipe(self, processes: Processes, valkey: redis.Redis) -> None:
        webs = [processes.web(RATE_LIMIT_PER_MINUTE="50", WEB_THREADS="2") for _ in range(2)]
        with loopback.client(timeout=60, limits=httpx.Limits(max_connections=120)) as client:

            def ask(number: int) -> tuple[int, int]:
                answer = client.get(f"{webs[number % 2].url}{PATH}")
                return answer.status_code, remaining(answer)

            def race() -> list[tuple[int, int]]:
                """A round that Valkey answered in time; on a busy machine it may not, and requests pass uncounted."""
                for _ in range(10):
                    valkey.flushdb()
                    valkey.script_flush()
                    answers = [answer for answer in at_once(120, ask) if isinstance(answer, tuple)]
                    if all(left < 50 for _, left in answers):
                        return answers
                    wait_for(lambda: all(ask(number)[1] < 50 for number in range(2)), "both count again")
                raise AssertionError("it let requests pass in ten rounds")

            for _ in range(2):
                answers = race()
                assert Counter(status for status, _ in answers) == {401: 50, 429: 70}
                left = [left for status, left in answers if status == 401]
                assert sorted(left) == list(range(50)), "each request was counted once"

    def test_past_the_limit_it_is_429_with_the_time_to_come_again(self) -> None:
        with configured(rate_limit_per_minute=3) as client:
            assert [remaining(client.get(PATH)) for _ in range(3)] == [2, 1, 0]
            refused = client.get(PATH)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert remaining(refused) == 0
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["X-Request-ID"] == refused.json()["request_id"]
        assert refused.headers["X-API-Version"] == "v1"

    @pytest.mark.django_db
    def test_every_api_answer_says_how_much_is_left(self, staff: APIClient, anyone: APIClient) -> None:
        answers = [
            anyone.get(PATH),
            anyone.get("/api/nowhere"),
            staff.get(PATH),
            staff.get(f"{PATH}/999999"),
            staff.put(PATH),
        ]
        assert [answer.status_code for answer in answers] == [401, 404, 200, 404, 405]
        for answer in answers:
            assert answer.headers["RateLimit-Policy"] == f'"default";q={settings.ENV.rate_limit_per_minute};w=60'
            assert remaining(answer) < settings.ENV.rate_limit_per_minute

    def test_what_is_not_the_api_is_not_counted(self) -> None:
        with configured(rate_limit_per_minute=1) as client:
            answers = [client.get("/healthz") for _ in range(3)]
        assert {answer.status_code for answer in answers} == {200}
        assert "RateLimit" not in answers[0].headers

    def test_a_window_ends(self, valkey: redis.Redis) -> None:
        with configured(rate_limit_per_minute=1) as client:
            assert [client.get(PATH).status_code for _ in range(2)] == [401, 429]
            (key,) = valkey.keys(f"{settings.VALKEY_PREFIX}rate:*")
            assert 0 < valkey.pttl(key) <= 60_000
            valkey.pexpire(key, 0)
            assert client.get(PATH).status_code == 401

    @pytest.mark.django_db
    def test_a_user_is_counted_and_not_the_address(self, register: Register, client_of: ClientOf) -> None:
        ada, grace = register("ada@example.com"), register("grace@example.com")
        with configured(rate_limit_per_minute=2) as anybody:
            first, second = client_of(ada), client_of(grace)
            assert [first.get(f"{PATH}/me").status_code for _ in range(3)] == [200, 200, 429]
            assert second.get(f"{PATH}/me").status_code == 200
            assert anybody.get(PATH).status_code == 401
            elsewhere = client_of(ada)
            assert elsewhere.get(f"{PATH}/me", REMOTE_ADDR="203.0.113.9").status_code == 429

    def test_a_forged_token_gets_no_count_of_its_own(self) -> None:
        with configured(rate_limit_per_minute=2) as client:
            statuses = [client.get(PATH, headers={"Authorization": f"Bearer forged{n}"}).status_code for n in range(3)]
        assert statuses == [401, 401, 429]


class TestValkeyAway:
    """A limit is not worth an outage."""

    def test_the_request_passes_and_the_log_says_so(self) -> None:
        with configured(redis_url=CLOSED_PORT, rate_limit_per_minute=1) as client, capture_logs() as lines:
            answers = [client.get(PATH) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {401}
        assert [line["event"] for line in lines].count("rate_limit_open") == 1, "said once a second, not five times"

    def test_one_that_hangs_costs_a_blink(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as hangs,
            configured(redis_url=f"redis://127.0.0.1:{hangs.getsockname()[1]}/0", rate_limit_per_minute=1) as client,
        ):
            client.get("/healthz")
            start = time.monotonic()
            answers = [client.get(PATH) for _ in range(50)]
            seconds = time.monotonic() - start
        assert {answer.status_code for answer in answers} == {401}
        assert seconds < 1.0, "the first waits some 40 ms, the others do not ask"


class TestClientAddress:
    """A client may claim any address; only our own proxies are believed."""

    def statuses(self, client: APIClient, *forwarded: str) -> list[int]:
        return [client.get(PATH, headers={"X-Forwarded-For": value}).status_code for value in forwarded]

    def test_without_proxies_the_header_means_nothing(self) -> None:
        with configured(rate_limit_per_minute=2, trusted_proxy_count=0) as client:
            assert self.statuses(client, "198.51.100.1", "198.51.100.2", "198.51.100.3") == [401, 401, 429]

    def test_behind_one_the_last_hop_counts_and_forged_ones_before_it_do_not(self) -> None:
        with configured(rate_limit_per_minute=2, trusted_proxy_count=1) as client:
            forged = [f"10.0.0.{n}, 198.51.100.1" for n in range(3)]
            assert self.statuses(client, *forged) == [401, 401, 429]
            assert self.statuses(client, "198.51.100.1, 198.51.100.2") == [401]

    def test_behind_two_it_is_the_last_but_one(self) -> None:
        with configured(rate_limit_per_minute=1, trusted_proxy_count=2) as client:
            assert self.statuses(client, "198.51.100.1, 10.0.0.1", "198.51.100.1, 10.0.0.2") == [401, 429]
            assert self.statuses(client, "198.51.100.2, 10.0.0.1") == [401]

    @pytest.mark.parametrize("nonsense", ["", "unknown", "198.51.100.1:80, ", "x" * 5000, ",,,"])
    def test_nonsense_counts_for_the_peer(self, nonsense: str) -> None:
        with configured(rate_limit_per_minute=1, trusted_proxy_count=1) as client:
            assert self.statuses(client, nonsense, f"{nonsense} ") == [401, 429]

    def test_a_subscriber_of_ipv6_is_a_network(self) -> None:
        with configured(rate_limit_per_minute=1, trusted_proxy_count=1) as client:
            assert self.statuses(client, "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1") == [
                401,
                429,
                401,
            ]


class TestTrace:
    """Every answer can be found in the log."""

    @pytest.mark.parametrize("offered", ["abcdefgh", "A-b_c.0123", "x" * 128])
    def test_an_id_of_the_clients_is_kept(self, anyone: APIClient, offered: str) -> None:
        for path in ("/healthz", "/api/v1/nowhere", "/nowhere", PATH):
            assert anyone.get(path, headers={"X-Request-ID": offered}).headers["X-Request-ID"] == offered

    @pytest.mark.parametrize(
        "offered", ["", "short12", "x" * 129, "with space", "new\nline-new", "semi;colon", "ümlaut-ümlaut", "²²²²²²²²"]
    )
    def test_anything_else_is_replaced(self, anyone: APIClient, offered: str) -> None:
        ids = {anyone.get("/healthz", headers={"X-Request-ID": offered}).headers["X-Request-ID"] for _ in range(2)}
        assert len(ids) == 2
        assert all(re.fullmatch(r"[A-Za-z0-9._-]{8,128}", made) for made in ids)

    def test_every_answer_says_how_long_it_took(self, anyone: APIClient) -> None:
        for path in ("/healthz", "/api/v1/nowhere", "/nowhere", PATH):
            start = time.perf_counter()
            said = float(anyone.get(path).headers["X-Process-Time"])
            assert 0 < said < time.perf_counter() - start

    def test_each_request_is_one_line_in_the_log(self, anyone: APIClient) -> None:
        with capture_logs() as lines:
            anyone.get(PATH, REMOTE_ADDR="203.0.113.9")
        (line,) = [line for line in lines if line["event"] == "request_finished"]
        expected = {"method": "GET", "path": PATH, "status": 401, "user_id": None, "ip": "203.0.113.9"}
        assert expected.items() <= line.items()
        assert line["duration_ms"] > 0
