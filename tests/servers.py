"""pytest plugin: a PostgreSQL and a Valkey for the run, unless DATABASE_URL and REDIS_URL name others.

They are started once, before pytest-django reads Django's settings, by the first pytest process; the workers of
pytest-xdist inherit their addresses and take a Valkey database each. They end with pytest, even if it is killed.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

import pytest

from config.stack.throwaway import throwaway_services
from config.stack.wheels import ServiceError
from tests import forks

WORKER = "PYTEST_XDIST_WORKER"
DEFAULTS = {
    "SECRET_KEY": "only-for-tests-only-for-tests-only-for-tests",
    # a test that wants one starts it
    "EXTERNAL_API_URL": "",
    "EXTERNAL_API_KEY": "test-key",
}
_running = ExitStack()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Set the environment that Django's settings are read from."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if worker := os.environ.get(WORKER):
        os.environ["REDIS_URL"] = valkey_database_of(worker, os.environ["REDIS_URL"])
    elif not early_config.known_args_namespace.version and not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys():
        _start()
    yield


def pytest_unconfigure() -> None:
    """Stop what was started here."""
    forks.end()
    _running.close()


def valkey_database_of(worker: str, url: str) -> str:
    """`url` with the number of the database that belongs to xdist's `worker`, gw0 being 1."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{int(worker.removeprefix('gw')) + 1}"))


def _start() -> None:
    try:
        services = _running.enter_context(throwaway_services())
    except ServiceError as error:
        raise pytest.UsageError(str(error)) from None
    os.environ.setdefault("DATABASE_URL", services.postgres.url())
    os.environ.setdefault("REDIS_URL", services.valkey.url())
    # what fixtures insert at once, on a machine that does other things too
    os.environ.setdefault("DATABASE_TIMEOUT", "120")
