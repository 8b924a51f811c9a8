"""docker-compose.yml, as far as it can be checked without an engine; `make containers` runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.deploy.dotenv import problems
from config.product import SLUG
from tests.processes import ROOT

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if SLUG in service["image"]}


def test_one_service_builds_the_image_of_all() -> None:
    assert [name for name, service in OURS.items() if "build" in service] == ["check"]
    assert {service["image"] for service in OURS.values()} == {f"${{IMAGE:-{SLUG}}}"}
    assert {service["pull_policy"] for name, service in OURS.items() if name != "check"} == {"never"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_has_its_bounds(name: str) -> None:
    service = SERVICES[name]
    assert {"mem_limit", "pids_limit", "logging"} <= service.keys()
    # Prometheus is given its secret as a file there; Grafana's image could not be downloaded for a try
    assert service.get("read_only", name in {"prometheus", "grafana"}) is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # an image's health check that is switched off fails `up --wait` (docker/compose issue 13522)
    assert "disable" not in service.get("healthcheck", {})


@pytest.mark.parametrize(
    "line",
    ["KEY=a$b", 'KEY="a$b"', "KEY=$b", "KEY=a$$b", " export KEY = a${b}", "KEY='a'$b", "KEY='a$b'c", "KEY: a$b"],
)
def test_a_value_that_compose_would_change_is_named_by_its_line(line: str) -> None:
    (problem,) = problems(f"# a $comment\nOTHER=plain\n{line}\n")
    assert problem.startswith("line 3: docker compose takes the $ in KEY for a reference")
    assert "a$" not in problem


@pytest.mark.parametrize("line", ["KEY='a$b'", "KEY='a$b' # $c", "KEY=ab#@%", "# KEY=a$b", "KEY=", ""])
def test_a_value_that_it_keeps_is_none(line: str) -> None:
    assert problems(line) == []


def test_it_ends_with_a_message_and_without_the_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=hunter$2\n")
    command = [sys.executable, "-m", "config.deploy.dotenv"]
    refused = subprocess.run([*command, tmp_path / ".env"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "line 1: docker compose takes the $ in SECRET_KEY" in refused.stderr
    assert "hunter" not in refused.stderr
    assert subprocess.run([*command, tmp_path / "none"], cwd=ROOT, check=False).returncode == 0
