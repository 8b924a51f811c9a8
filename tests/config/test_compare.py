"""manage.py compare: the naive version beside ours. What each loses is asserted here for both sides of all twelve."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from apps.core.patterns import PATTERNS
from apps.core.text import in_words
from config.compare.__main__ import module_of
from config.compare.outcome import NOT_KEPT, Comparison
from config.compare.run import NotCompared
from tests.configured import configured
from tests.processes import ROOT
from tests.waiting import wait_for

# the figure of the headline, the least of it that the naive version has, and the most that ours has
BOTH_SIDES = {
    "repository": ("updates_lost", 15, 0),
    "service layer": ("duplicates_or_500s", 49, 0),
    "dependency injection": ("names_a_test_must_patch", 3, 0),
    "event bus": ("events_lost", 1, 0),
    "circuit breaker": ("probes_at_half_open", 40, 1),
    "CQRS": ("statements_for_the_list", 101, 1),
    "retry": ("largest_burst_of_repeats_in_100_ms", 400, 199),
    "settings": ("restarts_to_mend_all", 7, 1),
    "background tasks": ("jobs_without_a_result", 20, 0),
    "API versioning": ("v1_clients_broken", 3, 0),
    "middleware": ("requests_admitted", 200, 100),
    "structured logging": ("lines_that_its_id_does_not_find", 4, 0),
}
# no `make run` need have been there, and the services of whoever compares are left alone
UNSET = ("DATABASE_URL", "REDIS_URL")


@contextmanager
def comparing(*words: str) -> Iterator[subprocess.Popen[str]]:
    """manage.py compare, as a person starts it."""
    command = [sys.executable, "manage.py", "compare", *words]
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment |= {"DJANGO_SETTINGS_MODULE": "config.settings.development", "STATE_DIR": "/nowhere"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as popen:
        try:
            yield popen
        finally:
            popen.kill()


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    """What `--all` prints."""
    with comparing("--all", "--json") as popen:
        output, errors = popen.communicate(timeout=240)
    assert popen.returncode == 0, output + errors
    return {result["pattern"]: result for result in json.loads(output)}


@pytest.mark.parametrize("name", [pattern.name for pattern in PATTERNS])
def test_ours_keeps_the_promise_and_the_naive_version_breaks_it(results: dict[str, dict[str, Any]], name: str) -> None:
    result = results[name]
    figure, naive_at_least, ours_at_most = BOTH_SIDES[name]
    assert result["naive"][figure] >= naive_at_least, result
    assert result["ours"][figure] <= ours_at_most, result
    assert result["kept"], result
    assert result["promise"].endswith(".")
    assert result["headline"] == f"{in_words(figure)}: {result['naive'][figure]:,} → {result['ours'][figure]:,}"


def test_the_recorded_run_counts_the_same(results: dict[str, dict[str, Any]]) -> None:
    def counted(run: list[dict[str, Any]]) -> list[tuple[str, list[str], list[str]]]:
        return [(one["pattern"], list(one["naive"]), list(one["ours"])) for one in run]

    recorded = json.loads((ROOT / "docs/comparisons.json").read_text())
    assert counted(recorded) == counted(list(results.values())), (
        "manage.py compare --all --json > docs/comparisons.json"
    )
    assert all(one["kept"] for one in recorded)


@pytest.mark.parametrize("name", [pattern.name for pattern in PATTERNS])
def test_the_naive_version_is_one_short_file(name: str) -> None:
    lines = (ROOT / "config/compare/naive" / f"{module_of(name)}.py").read_text().splitlines()
    assert 10 < len(lines) < 100


def test_figures_have_their_hyphens() -> None:
    names = "log_ins_listed", "probes_at_half_open", "lines_with_an_e_mail_address", "half_a_use_case_kept"
    assert [in_words(name) for name in names] == [
        "log-ins listed",
        "probes at half-open",
        "lines with an e-mail address",
        "half a use case kept",
    ]


def test_a_run_that_does_not_show_it_says_so() -> None:
    same = Comparison("Less.", "lost", lambda: {"lost": 1}, lambda: {"lost": 1}, lambda naive, ours: naive != ours)
    assert (same.run()["kept"], same.run()["verdict"]) == (False, NOT_KEPT)


def compare(names: list[str]) -> Iterator[dict[str, Any]]:
    """In place of config.compare.run's: what was recorded, but that `retry` does not show it, and `settings` fails."""
    recorded = json.loads((ROOT / "docs/comparisons.json").read_text())
    for name in names:
        if name == "settings":
            raise NotCompared("no room left on the device")
        (result,) = [one for one in recorded if one["pattern"] == name]
        yield result | ({"kept": False, "verdict": NOT_KEPT} if name == "retry" else {})


@override_settings(COMPARISONS=__name__)
def test_people_read_a_table_and_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("compare", "service layer")
    (result,) = compare(["service layer"])
    printed = capsys.readouterr().out
    for part in ("promise", "experiment", "headline", "verdict", "naive_file"):
        assert result[part] in printed
    assert re.search(r"│ duplicates or 500s +│ 49 +│ 0 +│", printed)
    with pytest.raises(SystemExit, match="1"):
        call_command("compare", "retry")
    assert NOT_KEPT in capsys.readouterr().out
    with pytest.raises(CommandError, match="no room left"):
        call_command("compare", "settings", "--json")


def test_ctrl_c_ends_all_that_it_started() -> None:
    with comparing("event bus") as popen:
        root = psutil.Process(popen.pid)

        def family() -> list[psutil.Process]:
            """All of its processes, once the one that compares has forked."""
            with suppress(psutil.Error):
                children = root.children(recursive=True)
                return children if sum("config.compare" in child.cmdline() for child in children) > 1 else []
            return []

        started = wait_for(family, "it compares")
        os.killpg(popen.pid, signal.SIGINT)
        output, errors = popen.communicate(timeout=30)
    assert (popen.returncode, output, errors) == (130, "", "")
    wait_for(lambda: not any(process.is_running() for process in started), "every process is gone")


def test_production_is_told_why_not() -> None:
    with configured(profile="production"), pytest.raises(CommandError, match="development only"):
        call_command("compare", "retry")
