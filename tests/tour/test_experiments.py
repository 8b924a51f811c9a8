"""The tour's experiments, against a real server, as forms without any script."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path

import httpx
import orjson
import pytest
import redis
from django.test import Client

from apps.core.patterns import PATTERNS
from apps.core.telemetry.spans import KeptSpan
from apps.tour.experiments import EXPERIMENTS, find
from apps.tour.experiments.registration import registration
from apps.tour.experiments.requests import GROUP
from config.server.ports import free_port
from tests import loopback
from tests.processes import Process, Processes
from tests.stack.outsider import as_outsider


def touring(processes: Processes, folder: Path, **more: str) -> Process:
    """A server as `make run` starts it, without the rest of the stack; the limit is the one that people have."""
    port = str(free_port())
    return processes.web(
        DJANGO_SETTINGS_MODULE="config.settings.development",
        STATE_DIR=str(folder / "state"),
        PORT=port,
        TOUR_URL=f"http://127.0.0.1:{port}",
        RATE_LIMIT_PER_MINUTE="100",
        **more,
    )


@pytest.fixture
def web(processes: Processes, tmp_path: Path) -> Process:
    return touring(processes, tmp_path)


def press(browser: httpx.Client, name: str, **kept: str) -> httpx.Response:
    """Send the form of an experiment."""
    page = browser.get("/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    return browser.post(f"/tour/{name}", data={"csrfmiddlewaretoken": token[1], **kept}, headers={"Referer": "/"})


def test_experiments_without_a_script(web: Process, valkey: redis.Redis) -> None:
    with loopback.client(base_url=web.url, timeout=60) as browser:
        what_a_client_can_try_keeps_its_promise(browser)
        what_waits_behind_a_registration_is_not_called_kept(browser)
        both_sides_of_a_comparison_are_shown(browser)
        what_needs_a_part_of_the_stack_says_so_if_there_is_none(browser)
        what_make_run_did_not_start_is_left_alone(browser, valkey)
        a_repair_goes_on_with_what_was_broken(browser)
        a_trace_that_is_gone_is_said_to_be(browser, valkey)
        nobody_presses_a_button_from_another_site(browser)
    if os.geteuid() == 0:
        another_account_of_the_machine_presses_none(web)


def another_account_of_the_machine_presses_none(web: Process) -> None:
    seen = as_outsider(
        """
        def ask(lines, body="", until="</html>"):
            peer.sendall("\\r\\n".join([*lines, "Host: 127.0.0.1", f"Content-Length: {len(body)}", "", body]).encode())
            text = ""
            while until not in text:
                text += peer.recv(65536).decode()
            return text

        peer = socket.socket()
        peer.connect(("127.0.0.1", int(sys.argv[1])))
        page = ask(["GET / HTTP/1.1"])
        cookie = page[page.lower().index("set-cookie: ") + 12 :].partition(";")[0]
        token = page.partition('csrfmiddlewaretoken" value="')[2].partition('"')[0]
        form = "Content-Type: application/x-www-form-urlencoded"
        wanted = ["POST /tour/registration HTTP/1.1", f"Cookie: {cookie}", form]
        print(ask(wanted, f"csrfmiddlewaretoken={token}", "\\r\\n").split()[1])
        """,
        str(httpx.URL(web.url).port),
    )
    assert seen == "403"


def what_a_client_can_try_keeps_its_promise(browser: httpx.Client) -> None:
    find()
    names = [name for name, found in EXPERIMENTS.items() if found.group == GROUP]
    assert len(names) >= 5
    for name in names:
        answer = press(browser, name)
        assert answer.status_code == 200, name
        assert "Kept." in answer.text or "Not decided" in answer.text, (name, answer.text)
        assert EXPERIMENTS[name].promise.partition("'")[0] in answer.text


def what_waits_behind_a_registration_is_not_called_kept(browser: httpx.Client) -> None:
    """Nobody relays here."""
    answer = press(browser, registration.__name__).text
    assert "<dt>answered</dt>" in answer
    assert 'data-cohort="tour-' in answer
    assert "Kept." not in answer
    assert "no worker has begun it" in press(browser, "job-cancelled").text


def both_sides_of_a_comparison_are_shown(browser: httpx.Client) -> None:
    answer = press(browser, "compare-settings")
    assert "Kept." in answer.text, answer.text
    assert "<dt>restarts to mend all</dt><dd>7 → 1</dd>" in answer.text
    assert "without the pattern → with it" in answer.text


def what_needs_a_part_of_the_stack_says_so_if_there_is_none(browser: httpx.Client) -> None:
    for name in ("relay-stopped", "relay-goes-on", "workers-killed"):
        answer = press(browser, name)
        assert (answer.status_code, "his needs the" in answer.text) == (200, True), answer.text
        assert "Kept." not in answer.text


def what_make_run_did_not_start_is_left_alone(browser: httpx.Client, valkey: redis.Redis) -> None:
    valkey.set("somebody's", "own")
    assert "his needs the" in press(browser, "valkey-wiped").text
    assert browser.get("/tour/now").status_code == 200
    assert valkey.get("somebody's") == b"own"


def a_repair_goes_on_with_what_was_broken(browser: httpx.Client) -> None:
    page = press(browser, "relay-goes-on", cohort="tour-0123ab.3").text
    assert "<h3>What happened to them</h3>" in page
    assert 'data-cohort="tour-0123ab.3"' in page


def a_trace_that_is_gone_is_said_to_be(browser: httpx.Client, valkey: redis.Redis) -> None:
    trace = "ab" * 16
    gone = browser.get("/", params={"trace": trace})
    assert (gone.status_code, gone.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "This trace is gone" in gone.text
    assert '<form method="post" action="/tour/registration"' in gone.text
    # one that has just begun has no spans yet, and is not gone
    assert "This trace is gone" not in browser.get("/tour/now", params={"trace": trace}).text
    assert "This trace is gone" in browser.get("/tour/now", params={"trace": trace, "seen": "1"}).text
    span = KeptSpan(trace, "1" * 16, "", "POST /api/v1/users", "server", "web@here:1", 1.0, 2.0)
    valkey.rpush(f"trace:{trace}", orjson.dumps(asdict(span)))
    kept = browser.get("/", params={"trace": trace})
    assert (kept.status_code, "This trace is gone" in kept.text) == (200, False)


def nobody_presses_a_button_from_another_site(browser: httpx.Client) -> None:
    assert press(browser, "no-such-thing").status_code == 404
    assert browser.get("/tour/registration").status_code == 405
    browser.cookies.clear()
    assert browser.post("/tour/registration").status_code == 403


def test_each_pattern_has_an_experiment(client: Client) -> None:
    client.get("/")
    assert {found.pattern for found in EXPERIMENTS.values()} >= {pattern.slug for pattern in PATTERNS}


def test_outside_development_nothing_can_be_done_or_seen(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "<form" not in page
    assert "/tour/now" not in page
    assert client.get("/tour/now").status_code == 404
    assert client.post("/tour/registration").status_code == 404
