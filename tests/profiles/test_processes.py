"""The people directory and real workers: nothing is lost with a worker, and each line says which request it is of."""

from __future__ import annotations

import json
from collections.abc import Callable

import redis

from apps.core.bus import bus
from apps.core.queue.work_queue import DeliveryState
from apps.events.models import Delivery, OutboxEvent
from apps.profiles.models import Profile
from apps.users.commands import RegisterUser
from config.stack.people import PeopleDirectory
from tests.patterns.test_structured_logging import PASSWORD, REQUEST_ID, found_in, of_request, register_ada
from tests.processes import Processes
from tests.waiting import wait_for

KEY = "people-key-marker"


def test_a_worker_killed_in_mid_delivery_and_a_wiped_broker_lose_nothing(
    processes: Processes, make_due: Callable[[], None], valkey: redis.Redis
) -> None:
    with PeopleDirectory("test-key") as people:
        people.control(delay=4.0)
        processes.relay()
        victim = processes.worker(EXTERNAL_API_URL=people.url)
        bus.execute(RegisterUser("ada@example.com", "Ada"))
        wait_for(lambda: people.served, "the worker asks the directory")
        victim.kill()
        valkey.flushdb()
        people.control()
        assert not Profile.objects.exclude(enriched_at=None).exists()
        make_due()
        processes.worker(EXTERNAL_API_URL=people.url)
        wait_for(lambda: Profile.objects.exclude(enriched_at=None).exists(), "the profile is enriched")
        wait_for(lambda: list(processes.mail.glob("*")), "the welcome e-mail is sent")
        told = Delivery.objects.filter(event__type="user.created")
        wait_for(lambda: not told.exclude(state=DeliveryState.DELIVERED).exists(), "every receiver was told")
    assert Delivery.objects.get(receiver="profiles.enrich_profile").attempts == 2
    assert OutboxEvent.objects.filter(type="profile.enriched").count() == 1


def test_one_request_id_from_the_client_to_the_last_retry_of_a_question_to_the_directory(processes: Processes) -> None:
    with PeopleDirectory(KEY) as people:
        people.control(status=503, times=1)
        web, relay = processes.web(), processes.relay()
        worker = processes.worker(
            EXTERNAL_API_URL=people.url,
            EXTERNAL_API_KEY=KEY,
            RETRY_BASE_DELAY="0.01",
            # Celery says it on stderr before any of our code runs; in the image it is not root
            PYTHONWARNINGS="ignore:You're running the worker",
        )
        register_ada(web)

        def told() -> bool:
            receivers = {line["receiver"] for line in of_request(worker, "event_delivered")}
            return {"users.send_welcome_email", "profiles.enrich_profile"} <= receivers

        wait_for(told, f"every receiver's line has the request's id; see {worker.log}")
        (finished,) = of_request(web, "request_finished")
        assert (finished["method"], finished["path"], finished["status"]) == ("POST", "/api/v1/users", 201)
        (retried,) = of_request(worker, "retry")
        assert retried["receiver"] == "profiles.enrich_profile"
        enriched = OutboxEvent.objects.get(type="profile.enriched")
        assert enriched.request_id == REQUEST_ID, "and so on into what the receivers publish"
    for process in (web, relay, worker):
        for line in process.log.read_text().splitlines():
            assert isinstance(json.loads(line), dict), f"{process.log}: {line}"
        assert not found_in(process, [PASSWORD, KEY])


def test_those_who_wait_for_the_directory_leave_a_connection_for_the_others(processes: Processes) -> None:
    with PeopleDirectory("test-key") as people:
        # longer than anybody waits for a connection
        people.control(delay=3.0)
        processes.relay()
        worker = processes.worker(EXTERNAL_API_URL=people.url, DB_POOL_SIZE="4", BREAKER_CALL_TIMEOUT="20")
        for number in range(24):
            bus.execute(RegisterUser(f"ada{number}@example.com", "Ada"))
        wait_for(lambda: Profile.objects.exclude(enriched_at=None).count() == 24, f"all are known; see {worker.log}")
        assert "couldn't get a connection" not in worker.log.read_text()
