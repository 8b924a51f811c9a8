"""One registration is one trace: from the client's traceparent to the last retry, through five processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from apps.core.bus import bus
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import RegisterEndpoint
from config.stack.people import PeopleDirectory
from tests import loopback
from tests.processes import Process, Processes
from tests.traces.collector import Collector, statement, tree
from tests.traces.test_carried import SAMPLED, SPAN, TRACE, UNSAMPLED
from tests.traces.trees import comes_to, query, work_of
from tests.waiting import wait_for
from tests.webhooks.conftest import in_use
from tests.webhooks.receiver import Receiver, answer

ADA = {"email": "ada.lovelace@engines.example", "name": "Ada Byron", "password": "a very long phrase"}
# how long a collector that does not answer is waited for, by a thread that nobody else waits for
PATIENCE_SECONDS = 3
QUEUE = 128

RELAY = "relay"
DIRECTORY = ["LookUpPerson", [["attempt", [["breaker people", ["GET /people"]]]]] * 2]
ENRICHED = ["RecordEnrichment", [["publish profile.enriched", [RELAY]]]]  # of profiles
REGISTRATION = [
    [
        "POST /api/v1/users",
        [
            [
                "RegisterUser",
                [
                    [
                        "publish user.created",
                        [
                            ["deliver profiles.create_profile", ["CreateProfiles"]],
                            ["deliver profiles.enrich_profile", [DIRECTORY, ENRICHED]],
                            "deliver users.send_welcome_email",
                            # the first attempt failed
                            ["deliver webhooks.fan_out", [["FanOut", ["POST webhook", "POST webhook"]]]],
                            RELAY,
                        ],
                    ]
                ],
            ]
        ],
    ]
]


@dataclass
class World:
    """The service, traced, and who it talks to."""

    collector: Collector
    receiver: Receiver
    people: PeopleDirectory
    web: Process
    processes: Processes

    def register(self, email: str, traceparent: str) -> None:
        """Register somebody; fails if the answer is not 201."""
        headers = {"traceparent": traceparent}
        assert loopback.post(f"{self.web.url}/api/v1/users", json=ADA | {"email": email}, headers=headers).is_success


@pytest.fixture
def world(processes: Processes) -> Iterator[World]:
    with (
        Collector() as collector,
        Receiver() as receiver,
        PeopleDirectory("key") as people,
    ):
        with in_use(AddressPolicy(allow_private=True)):
            bus.execute(RegisterEndpoint(receiver.url, ("user.created",)))
        processes.addresses |= collector.environment | {
            "OTEL_EXPORTER_OTLP_TIMEOUT": str(PATIENCE_SECONDS),
            "OTEL_BSP_MAX_QUEUE_SIZE": str(QUEUE),
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": str(QUEUE),
            "EXTERNAL_API_URL": people.url,
            "EXTERNAL_API_KEY": "key",
            "RETRY_BASE_DELAY": "0.01",
            "WEBHOOK_RETRY_SCHEDULE": "1,1",
            "WEBHOOK_ALLOW_PRIVATE_NETWORKS": "true",
        }
        processes.relay()
        processes.worker("events", 1)
        processes.worker("io,webhooks", 2)
        yield World(
            collector=collector,
            receiver=receiver,
            people=people,  # of profiles
            web=processes.web(),
            processes=processes,
        )


def test_through_every_process(world: World) -> None:
    world.people.control(status=503, times=1)  # of profiles
    world.receiver.behave(answer=answer("503 Service Unavailable"), times=1)
    world.register(ADA["email"], SAMPLED)
    comes_to(lambda: tree(work_of(world.collector, TRACE), SPAN), REGISTRATION)
    work = work_of(world.collector, TRACE)
    assert {span.role for span in work} == {"web", "relay", "worker events", "worker io,webhooks"}
    heard = [request.headers["traceparent"] for request in world.receiver.received]
    assert sorted(heard) == sorted(f"00-{TRACE}-{span.span_id}-01" for span in work if span.name == "POST webhook")
    assert [span.failed for span in work if span.name == "POST webhook"].count(True) == 1
    told = {"request_finished", "event_delivered", "webhook_failed", "webhook_delivered"}
    told.add("retry")  # of profiles
    wait_for(lambda: told <= {line["event"] for line in lines_of(world.processes)}, "the lines of the trace")
    assert {line["span_id"] for line in lines_of(world.processes)} <= {s.span_id for s in world.collector.of(TRACE)}

    assert "FindWanted" in {span.name for span in world.collector.of(TRACE) if query(span) and span.role == "relay"}
    statements = [span for span in world.collector.of(TRACE) if statement(span)]
    assert {span.name for span in statements} >= {
        "INSERT users_user",
        "INSERT events_outboxevent",
        "EVALSHA rate",
        "GET",  # of profiles
    }
    for value in (*ADA.values(), "$argon2", "user:1"):
        assert [span for span in world.collector.of(TRACE) if value in str(span)] == [], "a span shows people's data"
    # the tasks that found the work are traces of their own
    links = {link for span in work for link in span.links}
    finders = {"task events.deliver", "task events.deliver_waiting", "task webhooks.send"}
    wait_for(
        lambda: finders <= {span.name for span in list(world.collector.spans) if span.trace_id in links}, "the tasks"
    )

    who_is_not_sampled_is_not_traced(world)
    a_frozen_collector_holds_up_nobody(world)


def lines_of(processes: Processes) -> list[dict[str, Any]]:
    return [line for process in processes.started for line in process.lines() if line.get("trace_id") == TRACE]


def who_is_not_sampled_is_not_traced(world: World) -> None:
    before = len(world.receiver.received)
    world.register("unsampled@example.com", UNSAMPLED.replace(TRACE, "a" * 32))
    wait_for(lambda: len(world.receiver.received) >= before + 1, "the webhook comes")
    assert world.receiver.received[-1].headers["traceparent"].startswith(f"00-{'a' * 32}-")
    assert world.receiver.received[-1].headers["traceparent"].endswith("-00")
    assert world.collector.of("a" * 32) == []


def a_frozen_collector_holds_up_nobody(world: World) -> None:
    collector, web = world.collector, world.web
    collector.frozen.set()
    durations = []
    # more spans than the queue has room for
    for number in range(QUEUE // 4):
        began = time.monotonic()
        world.register(f"frozen{number}@example.com", "")
        durations.append(time.monotonic() - began)
    assert max(durations) < PATIENCE_SECONDS, "a request has waited for the collector"
    collector.frozen.clear()
    trace = "b" * 32
    wait_for(lambda: loopback.get(f"{web.url}/healthz").is_success, "it answers")
    world.register("thawed@example.com", f"00-{trace}-{SPAN}-01")
    wait_for(lambda: [span for span in collector.of(trace) if span.role == "web"], "spans come in again")
    collector.frozen.set()
    world.register("last@example.com", "")
    began = time.monotonic()
    assert web.stop() == 0
    assert time.monotonic() - began < 10, "a frozen collector holds up the end of a process"
