"""What a process loads when it starts: a worker, the relay and a command load nothing of what only answers requests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

TRACER = {"opentelemetry", "config.tracing.parts", "apps.core.postgresql.traced.base"}
WITH_ROUTES = [path.parents[1].name for path in ROOT.glob("apps/*/api/urls.py")]
# an HTTP client and a token library are half of the start of a process; views, schema and admin are the web server's
HEAVY = (
    "httpx", "httpcore", "jwt", "sentry_sdk", "requests", "rich", "yaml", *TRACER,
    "rest_framework.views", "drf_spectacular.openapi",
    "drf_spectacular.generators", "apps.core.api.schema", "apps.core.http.problems", "config.urls",
    *(f"apps.{app}.{part}" for app in WITH_ROUTES for part in ("admin", "api.views")),
)  # fmt: skip
PROGRAMS = {
    "outbox": "import apps.events.management.commands.outbox",
    "relay": "import apps.events.management.commands.relay",
    "worker": "import config.celery; config.celery.app.loader.import_default_modules()",
}


@pytest.mark.parametrize("role", PROGRAMS)
def test_it_loads_nothing_that_only_others_need(role: str) -> None:
    said = run(f"import django; django.setup(); {PROGRAMS[role]}")
    assert said == [], f"a {role} loads what it does not need: find out with python -X importtime who imports it"


def test_the_stack_starts_without_an_http_client() -> None:
    assert run("import config.stack.run") == []


def test_no_request_waits_until_routes_are_there_and_tokens_can_be_read() -> None:
    needed = ["apps.users.api.views", "config.urls", "jwt"]
    assert run("import config.wsgi", tuple(needed)) == needed


def test_the_main_process_of_a_web_server_loads_no_part_of_the_service() -> None:
    program = "import config.server.serve, granian, granian.server.mp"
    assert run(program, ("django", "prometheus_client", "psycopg", "watchfiles", *HEAVY)) == []


def test_settings_load_no_models() -> None:
    program = "from django.conf import settings; settings.ENV"
    assert run(program, ("django.db.models", "django.forms", "django.template", *HEAVY)) == []


def test_the_web_server_loads_no_library_for_what_nobody_asks() -> None:
    unused = ("requests", "rich", "jinja2", "pygments", "watchfiles", "anyio", "cryptography.x509")
    assert run("import config.wsgi, config.urls", unused) == []


def test_the_web_server_loads_what_only_some_ask_for_when_they_ask() -> None:
    pages = ("httpx", "markdown_it", "drf_spectacular.openapi", "unittest", "yaml")
    assert run("import config.wsgi, config.urls", (*pages, "segno", "cryptography.fernet")) == []
    # as `make run` does before it forks, which finds out whether they are there
    load = "import config.wsgi; from apps.core.http.late import load_all; load_all()"
    assert run(load, pages) == list(pages)


def test_the_web_server_loads_a_tracer_only_if_somebody_takes_traces() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    assert TRACER.isdisjoint(run("import config.wsgi"))
    assert set(run("import config.wsgi", **endpoint)) >= TRACER
    assert TRACER.isdisjoint(run("import config.wsgi", OTEL_SDK_DISABLED="true", **endpoint))


def run(program: str, names: tuple[str, ...] = HEAVY, /, **environment: str) -> list[str]:
    """Those of `names` that a fresh interpreter has loaded after `program`."""
    look = f"import sys; print('loaded', *[name for name in {names} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; {look}"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *loaded = done.stdout.splitlines()[-1].split()
    assert first == "loaded"
    return loaded
