"""Settings: a deployment with seven mistakes in its variables, two of which hold a secret."""

from __future__ import annotations

import os
import runpy
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

from config.compare.outcome import Comparison, Figures
from config.load import load
from config.reader import SettingsError

NAIVE = str(Path(__file__).with_name("naive") / "settings.py")
RIGHT = {
    "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "api.example.com",
    "DATABASE_URL": "postgres://app:hunter2%2F9x@db.example.com:5432/app",
    "REDIS_URL": "redis://valkey.example.com:6379/0",
    "CELERY_TASK_TIME_LIMIT": "300",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "30",
    "BREAKER_CALL_TIMEOUT": "5",
    "API_V1_SUNSET": "2027-06-30",
    "EMAIL_URL": "dummymail://",
}
MISTAKES = {
    # not set at all
    "ALLOWED_HOSTS": None,
    "EMAIL_URL": None,
    # a slash in the password, which a URL must not have
    "DATABASE_URL": "postgres://app:hunter2/9x@db.example.com:5432/app",
    "CELERY_TASK_TIME_LIMIT": "5m",
    # the value of another line
    "ACCESS_TOKEN_EXPIRE_MINUTES": "sk-live-4242424242",
    "BREAKER_CALL_TIMEOUT": "5s",
    "API_V1_SUNSET": "30.06.2027",
}
SECRETS = ("hunter2", "sk-live-4242424242")


def naive() -> Figures:
    """A settings.py of the usual kind; whoever starts it mends what its traceback is about, and starts it again."""
    return _mended(_start_naive, lambda output, wrong: {_culprit(output, wrong)})


def ours() -> Figures:
    """The service's settings for production; whoever starts it mends all that the message names."""
    with tempfile.TemporaryDirectory() as folder, patch("config.env.ROOT", Path(folder)):
        return _mended(_start_ours, lambda output, wrong: {name for name in wrong if f"  {name} " in output})


def _mended(start: Callable[[Mapping[str, str]], str], named: Callable[[str, set[str]], set[str]]) -> Figures:
    wrong = set(MISTAKES)
    said, at_first = "", 0
    restarts = 0
    while output := start(_environment(wrong)):
        said += output
        found = named(output, wrong)
        if not found:
            raise RuntimeError(f"it names none of {wrong}: {output}")
        at_first = at_first or len(found)
        wrong -= found
        restarts += 1
    return {
        "mistakes": len(MISTAKES),
        "mistakes_named_at_the_first_start": at_first,
        "restarts_to_mend_all": restarts,
        "secrets_in_what_it_said": sum(secret in said for secret in SECRETS),
    }


def _environment(wrong: set[str]) -> dict[str, str]:
    values = {name: MISTAKES[name] if name in wrong else value for name, value in RIGHT.items()}
    return {name: value for name, value in values.items() if value is not None}


def _start_naive(environment: Mapping[str, str]) -> str:
    """What it says when it fails; nothing if it starts."""
    with patch.dict(os.environ, environment, clear=True):
        try:
            runpy.run_path(NAIVE)
        except Exception:  # whatever a settings.py raises ends the process with its traceback
            return traceback.format_exc()
    return ""


def _start_ours(environment: Mapping[str, str]) -> str:
    with patch.dict(os.environ, environment, clear=True):
        try:
            load("production")
        except SettingsError as error:
            return str(error)
    return ""


def _culprit(output: str, wrong: set[str]) -> str:
    """The one of `wrong` whose mending makes the naive settings go on."""
    return next(name for name in sorted(wrong) if _start_naive(_environment(wrong - {name})) != output)


COMPARISON = Comparison(
    promise="Every mistake in the settings is named at the first start, and no value of them is ever repeated.",
    headline="restarts_to_mend_all",
    naive=naive,
    ours=ours,
    kept=lambda naive, ours: (
        naive["restarts_to_mend_all"] == ours["mistakes_named_at_the_first_start"] == len(MISTAKES)
        and ours["restarts_to_mend_all"] == 1
        and naive["secrets_in_what_it_said"] == len(SECRETS)
        and ours["secrets_in_what_it_said"] == 0
    ),
)
