"""Settings: without it a deployment learns of its mistakes one restart at a time, with its secrets in the traceback."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from config import kinds
from config.env import Settings
from config.example import example
from config.load import load
from config.reader import REQUIRED, Reader, SettingsError, depends
from tests.processes import ROOT

MARKER = "s3cr3t-marker"
# empty counts as missing, and a developer's .env does not fill it in
MISSING = {"SECRET_KEY": "", "DATABASE_URL": "", "ALLOWED_HOSTS": "", "EMAIL_URL": ""}
MALFORMED = {
    "REDIS_URL": f"gopher://:{MARKER}@127.0.0.1",
    "DB_POOL_SIZE": f"five {MARKER}",
    "RETRY_MAX_DELAY": "inf",
    "DEBUG": MARKER,
    "LOG_LEVEL": MARKER,
    "API_V1_SUNSET": f"tomorrow {MARKER}",
    "WEBHOOK_RETRY_SCHEDULE": f"5,{MARKER}",
    "EXTERNAL_API_URL": f"//{MARKER}",
}
GOOD = {
    "SECRET_KEY": "a-long-key-drawn-at-random-for-this-test",
    "DATABASE_URL": f"postgres://app:{MARKER}@127.0.0.1:5432/app",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "ALLOWED_HOSTS": "api.example.com",
    "EMAIL_URL": "smtp+tls://mail.example.com:587",
}
ENTRY_POINTS = {
    "manage.py": ["manage.py", "check"],
    "wsgi": ["-c", "import config.wsgi"],
    "celery report": ["-m", "celery", "-A", "config.celery", "report"],
    "celery worker": ["-m", "celery", "-A", "config.celery", "worker"],
    "web server": ["-m", "config.server"],
}


def variables_read() -> set[str]:
    """The variables of all settings except the profile."""
    return {field.name.upper() for field in dataclasses.fields(Settings)} - {"PROFILE"}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of our variables is set, nor is there an .env; what a test reads in is forgotten after it."""
    for name in variables_read():
        # first set, so that monkeypatch notes what to restore
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("config.env.ROOT", tmp_path)


def production(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    """What production would be run with in a good environment, changed by `more`."""
    for name, value in {**GOOD, **more}.items():
        monkeypatch.setenv(name, value)
    return load("production")


def problems(monkeypatch: pytest.MonkeyPatch, **more: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        production(monkeypatch, **more)
    return refused.value.problems


def ended(**settings: str) -> dict[str, subprocess.CompletedProcess[str]]:
    """How each entry point ends in an environment with these settings."""

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        environment = os.environ | settings
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60, check=False
        )

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(ENTRY_POINTS, pool.map(run, ENTRY_POINTS.values()), strict=True))


def told(process: subprocess.CompletedProcess[str]) -> str:
    """All that it wrote; in production a service writes it as events of its log."""
    lines = (process.stdout + process.stderr).splitlines()
    return "\n".join(json.loads(line)["event"] if line.startswith("{") else line for line in lines)


def test_every_entry_point_names_all_that_is_wrong_and_shows_no_value() -> None:
    settings = MISSING | MALFORMED | {"DJANGO_SETTINGS_MODULE": "config.settings.production"}
    for name, process in ended(**settings).items():
        said = told(process)
        assert process.returncode != 0, name
        assert "Traceback" not in said, f"{name}: {said}"
        assert MARKER not in said, name
        named = set(re.findall(r"^  ([A-Z0-9_]+) is (?:missing|malformed)", said, re.MULTILINE))
        assert named == MISSING.keys() | MALFORMED.keys(), f"{name}: {said}"


def test_every_entry_point_says_so_where_there_is_no_such_settings_module() -> None:
    for name, process in ended(DJANGO_SETTINGS_MODULE="config.settings.staging").items():
        said = process.stdout + process.stderr
        assert process.returncode != 0, name
        assert said.startswith("DJANGO_SETTINGS_MODULE names no module: set it to config.settings.development"), said
        assert len(said.splitlines()) == 1, f"{name}: {said}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", MARKER),
        ("ALGORITHM", "none"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("DATABASE_URL", f"mysql://app:{MARKER}@db/app"),
        ("DATABASE_URL", f"postgres://app:{MARKER}@db:port/app"),
        ("DATABASE_URL", "postgres://"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("CELERY_BROKER_URL", "kafka://broker"),
        ("EMAIL_URL", f"pigeon://{MARKER}"),
        ("SENTRY_DSN", MARKER),
        ("RATE_LIMIT_PER_MINUTE", "-1"),
        ("TRUSTED_PROXY_COUNT", "one"),
        ("WEB_WORKERS", "²"),
        ("BREAKER_CALL_TIMEOUT", "0"),
        ("BREAKER_CALL_TIMEOUT", "nan"),
        ("RETRY_EXPONENTIAL_BASE", "1"),
        ("WEBHOOK_RETRY_SCHEDULE", "5,-300"),
        ("WEBHOOK_ALLOW_PRIVATE_NETWORKS", "maybe"),
        ("API_V1_SUNSET", "2027-02-30"),
    ],
)
def test_a_malformed_value_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    (problem,) = problems(monkeypatch, **{name: value})
    assert problem.startswith(f"{name} is malformed: ")
    assert MARKER not in problem


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"DEBUG": "true"}, "DEBUG"),
        ({"SECRET_KEY": "development-only-key-never-used-in-production"}, "SECRET_KEY"),
        ({"CELERY_TASK_SOFT_TIME_LIMIT": "300", "CELERY_TASK_TIME_LIMIT": "300"}, "CELERY_TASK_SOFT_TIME_LIMIT"),
        ({"EVENT_RETENTION_DAYS": "30", "UNDELIVERED_RETENTION_DAYS": "29"}, "UNDELIVERED_RETENTION_DAYS"),
        ({"RETRY_BASE_DELAY": "61", "RETRY_MAX_DELAY": "60"}, "RETRY_BASE_DELAY"),
        ({"EXTERNAL_API_URL": "https://people.example.com", "EXTERNAL_API_KEY": ""}, "EXTERNAL_API_KEY"),
    ],
)
def test_values_that_make_no_sense_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    (problem,) = problems(monkeypatch, **variables)
    assert problem.startswith(named)


def test_mistakes_and_contradictions_come_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(monkeypatch, REDIS_URL="", DB_POOL_SIZE="x", DEBUG="true", RETRY_BASE_DELAY="99")
    assert [problem.split()[0] for problem in found] == ["REDIS_URL", "DB_POOL_SIZE", "DEBUG", "RETRY_BASE_DELAY"]


def test_good_values_arrive_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    env = production(
        monkeypatch,
        ALLOWED_HOSTS="api.example.com, www.example.com",
        WEBHOOK_RETRY_SCHEDULE="1,2,3",
        API_V1_SUNSET="2027-06-30",
        BREAKER_CALL_TIMEOUT="2.5",
        ALGORITHM="hs512",
        EXTERNAL_API_URL="https://people.example.com/",
        EXTERNAL_API_KEY="key",
    )
    assert env.allowed_hosts == ("api.example.com", "www.example.com")
    assert env.webhook_retry_schedule == (1, 2, 3)
    assert str(env.api_v1_sunset) == "2027-06-30"
    assert (env.breaker_call_timeout, env.algorithm, env.debug) == (2.5, "HS512", False)
    assert env.external_api_url == "https://people.example.com"
    assert env.celery_broker_url == GOOD["REDIS_URL"]


def test_the_documented_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    env = production(monkeypatch)
    expected = {
        "access_token_expire_minutes": 30,
        "db_pool_size": 5,
        "redis_ttl": 3600,
        "log_level": "INFO",
        "rate_limit_per_minute": 100,
        "login_rate_limit_per_minute": 10,
        "trusted_proxy_count": 0,
        "body_limit": 65_536,
        "celery_task_time_limit": 300,
        "celery_task_soft_time_limit": 240,
        "breaker_failure_threshold": 5,
        "breaker_call_timeout": 5.0,
        "breaker_recovery_timeout": 30.0,
        "retry_max_attempts": 3,
        "retry_base_delay": 1.0,
        "retry_max_delay": 60.0,
        "retry_exponential_base": 2.0,
        "web_workers": 1,
        "web_threads": 4,
        "webhook_allow_private_networks": False,
        "webhook_retry_schedule": (5, 300, 1800, 7200, 18000, 36000, 36000),
    }
    assert {name: getattr(env, name) for name in expected} == expected


def test_nobody_changes_them_at_run_time() -> None:
    env: Any = settings.ENV
    with pytest.raises(dataclasses.FrozenInstanceError):
        env.debug = True
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        env.something_new = 1


def test_the_environment_comes_before_the_file_and_the_file_before_make_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("API_TITLE", "of the environment")
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    (tmp_path / ".env").write_text("API_TITLE=of the file\nDATABASE_URL=postgres://file@db/app\n")
    (tmp_path / "env").write_text("DATABASE_URL=postgres://run@127.0.0.1/app\nREDIS_URL=redis://127.0.0.1:7000/0\n")
    env = load("development")
    assert env.api_title == "of the environment"
    assert env.database_url == "postgres://file@db/app"
    assert env.redis_url == "redis://127.0.0.1:7000/0"


def test_the_example_documents_every_variable() -> None:
    assert (ROOT / ".env.example").read_text() == example(), "run `python -m config.example > .env.example`"
    read = variables_read()
    assert {"SECRET_KEY", "STATE_DIR", "WEBHOOK_RETRY_SCHEDULE"} <= read
    compose = re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text())
    documented = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example(), re.MULTILINE)
    assert sorted(documented) == sorted(set(documented)), "documented twice"
    assert (read | {"HOST", "PORT", *compose}) - set(documented) == set(), "read and not documented"


def test_a_copy_of_the_example_changes_no_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, GOOD[name])
    without = load("development")
    (tmp_path / ".env").write_text(example())
    assert load("development") == without


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shop:
    """The settings of some other service."""

    currency: str = kinds.choice("EUR", "What prices are in", ("EUR", "CHF"))
    price_limit: int = kinds.integer(REQUIRED, "The highest price", at_most=1000)
    warning_at: int = kinds.integer(depends(lambda known: known["price_limit"] // 2), "Ask at this price")
    gift_limit: int = kinds.integer(10, "The highest gift", at_most=depends(lambda known: known["price_limit"]))


def test_a_default_and_a_rule_may_depend_on_another_setting() -> None:
    reader = Reader(Shop, {"PRICE_LIMIT": "90", "CURRENCY": "chf"})
    assert reader.read() == Shop(currency="CHF", price_limit=90, warning_at=45, gift_limit=10)
    assert Reader(Shop, {"PRICE_LIMIT": "90", "WARNING_AT": "7"}).read().warning_at == 7
    reader = Reader(Shop, {"PRICE_LIMIT": "90", "GIFT_LIMIT": "91"})
    reader.read()
    assert reader.problems == ["GIFT_LIMIT is malformed: a whole number from 1 to 90, e.g. 10"]


def test_what_depends_on_a_setting_that_is_missing_is_no_problem_of_its_own() -> None:
    reader = Reader(Shop, {"CURRENCY": "USD", "GIFT_LIMIT": "20"})
    reader.read()
    assert reader.problems == [
        "CURRENCY is malformed: one of EUR, CHF",
        "PRICE_LIMIT is missing: a whole number from 1 to 1000",
    ]
