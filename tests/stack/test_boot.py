"""Every profile boots and answers, with DEBUG and without, and with every documented switch turned."""

from __future__ import annotations

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config.example import ELSEWHERE
from tests import forks
from tests.conftest import own_database_url
from tests.processes import ROOT

# for each variable of .env.example another value than the default, or None: the test's own stack decides
SWITCHES: dict[str, str | None] = {
    "SECRET_KEY": "only-to-be-booted-0123456789-abcdefghijklmnopqrstuvwxyz",
    "SECRET_KEY_FALLBACKS": "an-earlier-key-0123456789-abcdefghijklmnopqrstuvwxyz",
    "DATABASE_URL": None,
    "REDIS_URL": None,
    "ALLOWED_HOSTS": "localhost,api.example.com",
    "API_TITLE": "Another API",
    "API_VERSION": "2.0.0",
    "API_V1_SUNSET": "2097-06-30",
    "ALGORITHM": "HS512",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "5",
    "REFRESH_TOKEN_EXPIRE_DAYS": "1",
    "RATE_LIMIT_PER_MINUTE": "50",
    "LOGIN_RATE_LIMIT_PER_MINUTE": "5",
    "CORS_ALLOWED_ORIGINS": "https://app.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://app.example.com",
    "BODY_LIMIT": "100000",
    "PUBLIC_URL": "https://api.example.com/base",
    "EMAIL_VERIFICATION": "required",
    "PASSWORD_RESET_URL": "https://app.example.com/#/password/{token}",
    "TRUSTED_PROXY_COUNT": "1",
    "STATE_DIR": None,
    "PORT": "8001",
    "HOST": "0.0.0.0",
    "WEB_WORKERS": "2",
    "WEB_THREADS": "2",
    "DB_POOL_SIZE": "2",
    "DATABASE_TIMEOUT": "20",
    "DB_TRANSACTION_POOLING": "true",
    "REDIS_TTL": "60",
    "CELERY_BROKER_URL": "amqp://guest:guest@127.0.0.1:1//",
    "CELERY_TASK_TIME_LIMIT": "60",
    "CELERY_TASK_SOFT_TIME_LIMIT": "50",
    "EXTERNAL_API_URL": "https://people.example.com",
    "EXTERNAL_API_KEY": "key",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
    "EMAIL_FROM": "Others <others@example.com>",
    "BREAKER_FAILURE_THRESHOLD": "2",
    "BREAKER_CALL_TIMEOUT": "1",
    "BREAKER_RECOVERY_TIMEOUT": "1",
    "RETRY_MAX_ATTEMPTS": "1",
    "RETRY_BASE_DELAY": "0.5",
    "RETRY_MAX_DELAY": "1",
    "RETRY_EXPONENTIAL_BASE": "3",
    "WEBHOOK_RETRY_SCHEDULE": "1,2",
    "WEBHOOK_ALLOW_PRIVATE_NETWORKS": "true",
    "STAFF_OTP_REQUIRED": "true",
    "LOG_LEVEL": "WARNING",
    "SENTRY_DSN": "http://key@127.0.0.1:9/1",
    "METRICS_TOKEN": "token",
    "METRICS_HOST": "127.0.0.2",
    "METRICS_PORT": "9101",
    "PROMETHEUS_MULTIPROC_DIR": None,
    "SLOW_QUERY_MS": "0",
    "EVENT_RETENTION_DAYS": "1",
    "ADMIN_LOG_RETENTION_DAYS": "1",
    "UNDELIVERED_RETENTION_DAYS": "1",
    # nobody listens there, and nothing waits for it
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_SERVICE_NAME": "another",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.5",
    "OTEL_TRACES_EXPORTER": "otlp",
    "DEBUG": None,
}
NEEDED = {name: SWITCHES[name] for name in ("SECRET_KEY", "ALLOWED_HOSTS", "METRICS_TOKEN", "EMAIL_URL")}
BOOTS = {
    ("development", "false"): {},
    ("development", "true"): SWITCHES,
    ("test", "false"): SWITCHES,
    ("test", "true"): {},
    ("production", "false"): SWITCHES,
    ("production", ""): NEEDED,
}


def test_every_documented_variable_has_a_switch_here() -> None:
    documented = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    read_by_others = {name for name, *_ in ELSEWHERE}
    assert set(documented) - read_by_others - set(SWITCHES) == set()


@pytest.mark.django_db(transaction=True)
def test_every_profile_boots_and_answers(tmp_path: Path) -> None:
    database = own_database_url()

    def boot(case: tuple[str, str]) -> dict[str, Any]:
        return booted(tmp_path / "-".join(case), *case, DATABASE_URL=database)

    forks.server()  # once, not by each thread
    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(BOOTS, pool.map(boot, BOOTS), strict=True))
    for (profile, debug), seen in answers.items():
        assert (seen["profile"], seen["debug"]) == (profile, debug == "true")
        assert seen["tasks"] > 5
        assert seen["/healthz"]["status"] == 200
        assert seen["register"]["status"] == 201, seen
        assert seen["/api/v2/users"]["status"] == 401
        # with DEBUG it is Django's own page, which shows the routes
        missing = {(seen[path]["status"], seen[path]["content-type"]) for path in ("/nowhere", "/api/v1/nowhere")}
        assert missing == {(404, "text/html; charset=utf-8" if seen["debug"] else "application/problem+json")}
        turned = BOOTS[profile, debug] is SWITCHES
        assert seen["transport"] == ("amqp" if turned else "redis")
        assert ("sunset" in seen["register"]) == turned
        assert seen["register"].get("access-control-allow-origin") == ("https://app.example.com" if turned else None)
    assert answers["production", "false"]["/metrics"]["status"] == 401
    assert answers["development", "false"]["/metrics"]["status"] == 200


def booted(folder: Path, profile: str, debug: str, **addresses: str) -> dict[str, Any]:
    """What the service answers in one process of its own, with the switches of `BOOTS`."""
    folder.mkdir()
    turned = {name: value for name, value in BOOTS[profile, debug].items() if value is not None}
    inherited = {name: value for name, value in os.environ.items() if name not in SWITCHES or name == "REDIS_URL"}
    environment = {
        **inherited,
        **turned,
        **addresses,
        "DJANGO_SETTINGS_MODULE": f"config.settings.{profile}",
        "DEBUG": debug,
        "STATE_DIR": str(folder),
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    command = [sys.executable, "-m", "tests.stack.boot", str(folder / "answers")]
    said = folder / "output"
    with said.open("wb") as output:
        status = forks.start(command, environment, output, output).wait(120)
    assert status == 0, f"{profile}, DEBUG={debug}:\n{said.read_text(errors='replace')}"
    answers: dict[str, Any] = json.loads((folder / "answers").read_text())
    return answers
