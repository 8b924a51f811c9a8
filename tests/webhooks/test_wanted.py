"""An event that no endpoint wants makes no delivery for the fan-out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from apps.core.bus import bus
from apps.events.bus import RECEIVERS
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from apps.users.events import UserRegistered
from apps.webhooks.addresses import AddressPolicy
from apps.webhooks.commands import RegisterEndpoint, UpdateEndpoint

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
FAN_OUT = "webhooks.fan_out"
URL = "http://127.0.0.1:9/"


def fanned_out() -> int:
    return Delivery.objects.filter(receiver=FAN_OUT).count()


def test_with_no_endpoint_there_is_nothing_to_do(register: Register) -> None:
    register()
    assert fan_out() == 1
    assert fanned_out() == 0
    others = [one.name for one in RECEIVERS.values() if one.event is UserRegistered]
    told = Delivery.objects.values_list("receiver", flat=True)
    assert sorted(told) == sorted(others), "which have their use for it"


@pytest.mark.parametrize(
    ("types", "active", "made"),
    [((), True, 1), (("user.created",), True, 1), (("user.deleted",), True, 0), ((), False, 0)],
)
def test_an_active_endpoint_that_wants_the_type_gets_it(
    register: Register, private_allowed: AddressPolicy, types: tuple[str, ...], active: bool, made: int
) -> None:
    bus.execute(RegisterEndpoint(URL, types, is_active=active))
    register()
    fan_out()
    assert fanned_out() == made


def test_an_endpoint_is_owed_what_the_relay_takes_after_it_is_active(
    register: Register, private_allowed: AddressPolicy
) -> None:
    register("before@example.com")
    fan_out()
    endpoint = bus.execute(RegisterEndpoint(URL, is_active=False))
    register("while-it-was-off@example.com")
    bus.execute(UpdateEndpoint(endpoint.id, is_active=True))
    fan_out()
    assert fanned_out() == 1, "what was not yet taken when it was switched on"


def test_a_mistake_in_the_answer_costs_a_delivery_and_not_an_event(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(event_types: object) -> set[str]:
        raise ZeroDivisionError

    monkeypatch.setitem(RECEIVERS, FAN_OUT, replace(RECEIVERS[FAN_OUT], wanted=broken))
    register()
    assert fan_out() == 1
    assert fanned_out() == 1
