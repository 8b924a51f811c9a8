"""What relay and workers show to Prometheus."""

from __future__ import annotations

from config.server.ports import free_port
from tests import loopback
from tests.core.test_metrics import scrape, total
from tests.processes import Processes
from tests.waiting import wait_for


def test_relay_and_workers_show_theirs_on_a_port_of_their_own(processes: Processes) -> None:
    ports = {"relay": free_port(), "worker": free_port()}
    processes.relay(METRICS_PORT=str(ports["relay"]))
    worker = processes.worker(concurrency=2, METRICS_PORT=str(ports["worker"]))
    web = processes.web()
    answer = loopback.post(f"{web.url}/api/v1/users", json={"email": "a@example.com", "name": "A"})
    assert answer.status_code == 201
    relay_at, worker_at = (f"http://127.0.0.1:{port}" for port in ports.values())
    wait_for(lambda: total(scrape(relay_at), "relay_events_total") >= 1, "the relay counts events")
    task = {"task": "events.deliver_waiting", "state": "SUCCESS"}
    wait_for(lambda: total(scrape(worker_at), "celery_task_seconds_count", **task) >= 1, "so does the worker its tasks")
    children = [child for child in worker.tree() if child.pid != worker.popen.pid]
    delivered = {"outcome": "delivered", "receiver": "users.send_welcome_email"}
    wait_for(lambda: total(scrape(worker_at), "event_deliveries_total", **delivered) == 1, "what its children did")
    for child in children:
        child.kill()
    wait_for(lambda: {c.pid for c in worker.tree()}.isdisjoint(c.pid for c in children), "children are replaced")
    assert total(scrape(worker_at), "event_deliveries_total", **delivered) == 1
    assert total(scrape(web.url), "http_request_seconds_count", route="api/v1/users", status="201") == 1
