"""RabbitMQ as the broker: the whole way from a registration to its effects, and nothing lost while it is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import loopback
from tests.faults.rabbit import FOLDER, Rabbit, is_here, rabbit
from tests.faults.world import World, world
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(
    not is_here(), reason=f"there is no RabbitMQ in {FOLDER}: apt-get install rabbitmq-server"
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """One broker for all of these tests."""
    with rabbit(tmp_path_factory.mktemp("rabbit")) as running:
        yield running


@pytest.fixture(scope="module")
def service(broker: Rabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One service for all of these tests."""
    with world(tmp_path_factory.mktemp("world"), CELERY_BROKER_URL=broker.url) as running:
        yield running


def ready(service: World) -> dict[str, str]:
    """What /readyz says of each part."""
    checks: dict[str, str] = loopback.get(f"{service.web.url}/readyz", timeout=10).json()["checks"]
    return checks


def test_from_the_registration_to_all_that_follows(service: World) -> None:
    client = service.load(2)
    assert set(client.statuses) == {201}
    service.settle()
    service.check(client)
    assert ready(service)["broker"] == "ok"


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_broker_goes_and_comes_back_and_nothing_is_lost(service: World, broker: Rabbit, how: str) -> None:
    getattr(broker, how)()
    client = service.load(3)
    assert set(client.statuses) == {201}, "writes answer as before"
    assert ready(service)["broker"].startswith("failed")
    broker.start()
    service.settle()
    service.check(client)
    wait_for(lambda: ready(service)["broker"] == "ok", "the broker is back for /readyz")


def test_a_worker_is_killed_in_mid_stream(service: World) -> None:
    client = service.load(3, lambda: service.restart("worker"), pause=1.0)
    service.settle(leases_lost=True)
    service.check(client)
