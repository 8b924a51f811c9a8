"""The service against its own OpenAPI schema, by schemathesis: all checks, all routes, bodies valid and broken."""

from __future__ import annotations

import json
import os
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
OTHERS = {"user": "/api/v1/", "nobody": "/api/v2/"}


def token(email: str, *, staff: bool) -> str:
    """A token of somebody new; of no session: any other would end with the first call of POST /auth/logout."""
    user = bus.execute(RegisterUser(email, "Caller", is_staff=staff))
    return Container(settings.ENV).tokens.issue(user.id)


def test_the_service_keeps_to_its_schema(web: Process, tmp_path: Path) -> None:
    answered = tmp_path / "answered"
    tokens = {"user": token("user@example.com", staff=False), "nobody": ""}
    others = [(name, path, tokens[name]) for name, path in OTHERS.items()]
    environment = os.environ | {"OTHERS": json.dumps(others), "ANSWERED": str(answered)}
    staff = f"Authorization: Bearer {token('staff@example.com', staff=True)}"
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [schemathesis, "--config-file", str(CONFIG), "run", f"{web.url}/api/schema", "--header", staff]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-60_000:] + done.stderr[-2000:]
    generated = re.search(r"Test cases: *\n *(\d+) generated", done.stdout)
    assert generated, done.stdout[-2000:]
    assert int(generated[1]) > 3000
    answers = json.loads(answered.read_text())
    assert all(sum(answers[name].values()) > 1000 for name in OTHERS), answers
    assert answers["user"]["403"] > 100, "staff alone may do that"
    assert answers["nobody"]["401"] > 500
