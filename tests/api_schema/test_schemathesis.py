"""The service against its own OpenAPI schema, by schemathesis: all checks, all routes, bodies valid and broken."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from apps.core.bus import bus
from apps.users.commands import RegisterUser
from config.container import Container
from tests.processes import ROOT, Process, Processes

CONFIG = Path(__file__).with_name("schemathesis.toml")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web(processes: Processes) -> Process:
    """A real server that no limit ends early."""
    return processes.web(
        WEB_THREADS="2",
        LOGIN_RATE_LIMIT_PER_MINUTE="1000000",
        WEBHOOK_ALLOW_PRIVATE_NETWORKS="true",  # no host is looked up
        LOG_LEVEL="ERROR",
    )


# staff call every version; who may do what does not depend on it, so the others call one each
VERSIONS = {"staff": r"^/api/", "user": r"^/api/v1/", "nobody": r"^/api/v2/"}


@pytest.fixture(params=VERSIONS)
def caller(request: pytest.FixtureRequest, transactional_db: None) -> list[str]:
    """The command line's words for the three kinds of callers."""
    called = ["--include-path-regex", VERSIONS[request.param]]
    if request.param == "nobody":
        return called
    user = bus.execute(RegisterUser("caller@example.com", "Caller", is_staff=request.param == "staff"))
    # a token of no session: any other would end with the first call of POST /auth/logout
    tokens = Container(settings.ENV).tokens
    return [*called, "--header", f"Authorization: Bearer {tokens.issue(user.id)}"]


def test_the_service_keeps_to_its_schema(web: Process, caller: list[str]) -> None:
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [schemathesis, "--config-file", str(CONFIG), "run", f"{web.url}/api/schema", *caller]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-60_000:] + done.stderr[-2000:]
    generated = re.search(r"Test cases: *\n *(\d+) generated", done.stdout)
    assert generated, done.stdout[-2000:]
    assert int(generated[1]) > 1000
