"""A misspelt variable is pointed out, and a wrong value is refused before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.example import ELSEWHERE
from config.load import warnings_of
from config.misspelt import STARTING
from config.server.ports import free_port
from tests.processes import ROOT

SECRET = "s3cr3t-marker"
# what machines, shells and services have beside us
USUAL = (
    *("HOSTNAME", "LOGNAME", "HOME", "PATH", "LANG", "SHELL", "DISPLAY", "EDITOR", "MAIL", "DEBUGINFOD_URLS", "IMAGES"),
    *("DATABASE_USER", "DATABASE_NAME", "POSTGRES_USER", "POSTGRES_DB", "REDIS_HOST", "REDIS_PORT", "EMAIL_HOST"),
    *("EMAIL_PORT", "SENTRY_ENVIRONMENT", "SENTRY_RELEASE", "CELERY_RESULT_BACKEND", "CELERY_SKIP_CHECKS", "HOSTS"),
    *("OTEL_SERVICE_NAMES", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_EXPORTERS", "PYTHONPATH", "POD_NAME", "PORTS"),
    *("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "FORCE_COLOR", "NO_COLOR", "TERM_PROGRAM_VERSION"),
    *("DJANGO_SUPERUSER_PASSWORD", "DJANGO_SUPERUSER_EMAIL", "DJANGO_COLORS", "DJANGO_AUTORELOAD_ENV"),
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("LOG_LEVLE", "LOG_LEVEL"),
        ("log_level", "LOG_LEVEL"),
        ("SECRET_KYE", "SECRET_KEY"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("REALOAD", "RELOAD"),
        ("DJANGO_SETTING_MODULE", "DJANGO_SETTINGS_MODULE"),
    ],
)
def test_a_misspelt_name_is_pointed_out_with_the_right_one(name: str, meant: str) -> None:
    assert warnings_of({name: SECRET}) == [f"{name} is set, which nobody reads: is {meant} meant?"]
    # set under its own name as well: somebody knows what he does
    assert warnings_of({name: SECRET, meant: "set"}) == []
    assert warnings_of({name: ""}) == []


def test_what_others_read_is_no_misspelling() -> None:
    assert warnings_of(dict.fromkeys(USUAL, "set")) == []
    assert warnings_of(dict.fromkeys((name for name, *_ in ELSEWHERE), "set")) == []
    assert {name for name, *_ in ELSEWHERE} <= set(STARTING)


def run(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"STATE_DIR": str(folder / "state"), "PORT": str(free_port())} | settings
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60, check=False)


def test_manage_py_check_warns_and_goes_on(tmp_path: Path) -> None:
    settings = {"LOGLEVEL": SECRET, "LOG_LEVEL": "", "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    done = run(tmp_path, "manage.py", "check", "--fail-level", "WARNING", **settings)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Warning: LOGLEVEL is set, which nobody reads: is LOG_LEVEL meant?\n")
    assert SECRET not in done.stdout + done.stderr


def test_make_run_warns_and_refuses_all_that_is_malformed_before_it_starts_anything(tmp_path: Path) -> None:
    wrong = {"LOG_LEVEL": SECRET, "DB_POOL_SIZE": SECRET, "SECRET_KYE": SECRET}
    settings = wrong | {"DJANGO_SETTINGS_MODULE": "config.settings.development"}
    done = run(tmp_path, "-m", "config.stack", **settings)
    assert done.returncode == 1
    assert "SECRET_KYE is set, which nobody reads: is SECRET_KEY meant?" in done.stdout
    assert "LOG_LEVEL is malformed: one of DEBUG, INFO" in done.stdout
    assert "DB_POOL_SIZE is malformed: a whole number" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert not (tmp_path / "state").exists()
