"""Dashboard and alerts ask only for metrics that there are, in what docker-compose.yml starts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from apps.core.bus import bus
from apps.jobs.commands import SubmitJob
from apps.users.commands import RegisterUser
from tests import loopback
from tests.processes import ROOT, Processes
from tests.waiting import wait_for

MONITORING = ROOT / "config" / "monitoring"
# PromQL's own words
WORDS = {
    "and", "by", "deriv", "histogram_quantile", "increase", "max", "min", "or", "rate", "sum", "topk",
}  # fmt: skip
# a call of another machine that fails, and is tried again
BREAK = """
from django.conf import settings
from apps.core.resilience.retry import TransientError
from config.container import Container
def fail():
    raise TransientError("busy")
container = Container(settings.ENV)
container.retry.call(container.breaker("shared").call, fail)
"""
# Prometheus's own metric
THEIRS = {"up"}


def read(name: str) -> Any:
    return yaml.safe_load((MONITORING / name).read_text())


def alerts() -> list[dict[str, Any]]:
    return [rule for group in read("alerts.yml")["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found = json.loads((MONITORING / "grafana" / "dashboard.json").read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def metrics_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression asks for."""
    bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|\b(by) ?\([^)]*\)|"[^"]*"', " ", expression)
    return set(re.findall(r"[a-z][a-z_]+", bare)) - WORDS


def asked_for() -> set[str]:
    expressions = [rule["expr"] for rule in alerts()]
    expressions += [target["expr"] for panel in panels() for target in panel["targets"]]
    return {name for expression in expressions for name in metrics_in(expression)} - THEIRS


def shown(url: str) -> set[str]:
    """The names of a page that have samples, and of gauges that have none now."""
    page = loopback.get(f"{url}/metrics", timeout=20).text
    gauges = re.findall(r"^# TYPE (\w+) gauge$", page, re.MULTILINE)
    return {*re.findall(r"^(\w+)(?:\{| )", page, re.MULTILINE), *gauges}


def test_every_metric_that_is_asked_for_is_there(processes: Processes) -> None:
    shared: dict[str, Any] = {
        "PROMETHEUS_MULTIPROC_DIR": str(processes.folder / "metrics"),
        "BREAKER_FAILURE_THRESHOLD": "1",
        "RETRY_BASE_DELAY": "0.01",
    }
    web = processes.web(WEB_WORKERS="2", **shared)
    processes.relay(**shared)
    processes.worker(**shared)
    assert "CircuitOpen" in processes.manage("shell", "-c", BREAK, **shared).stderr
    bus.execute(RegisterUser("ada@example.com", "Ada"))
    bus.execute(SubmitJob("process", None, {"rows": []}))
    wait_for(lambda: asked_for() <= shown(web.url), f"there is {asked_for() - shown(web.url)}", 60)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: dict[str, Any]) -> None:
    assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert alert["annotations"]["summary"]
    assert len(alert["annotations"]["runbook"]) > 60


def test_every_panel_has_its_own_place() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids)) > 15
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(places) == len(set(places))


def test_compose_runs_what_prometheus_asks() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    jobs = read("prometheus.yml")["scrape_configs"]
    targets = {target for job in jobs for config in job["static_configs"] for target in config["targets"]}
    listening = {
        f"{name}:{service['environment']['METRICS_PORT']}"
        for name, service in services.items()
        if "METRICS_PORT" in (service.get("environment") or {})
    }
    assert targets == {"web:8000", *listening}
    monitoring = {name: service for name, service in services.items() if ["monitoring"] in service.values()}
    assert set(monitoring) == {"prometheus", "grafana"}
    for service in monitoring.values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), "pinned"
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (ROOT / source).is_file()
