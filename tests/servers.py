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
from django.conf import settings

from config.stack.throwaway import throwaway_services
from config.stack.wheels import ServiceError
from tests import forks, template
from tests.waiting import wait_for

WORKER, TEMPLATE = "PYTEST_XDIST_WORKER", "TEST_TEMPLATE"
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


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Lets the test database be a copy of the one that is being made meanwhile."""
    if name := os.environ.get(TEMPLATE):
        wait_for(template.is_there, "the tables are made")
        settings.DATABASES["default"].setdefault("TEST", {})["TEMPLATE"] = name


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
    os.environ[TEMPLATE] = template.MIGRATED
    _running.callback(template.start().wait)
