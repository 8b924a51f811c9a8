"""Commands: what can be done with webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NamedTuple

from apps.core.bus import Command


@dataclass(frozen=True)
class EndpointSnapshot:
    """An endpoint as a use case leaves it; `secret` is there only right after it was made."""

    id: int
    url: str
    event_types: list[str]
    description: str
    is_active: bool
    disabled_reason: str
    created_at: datetime
    updated_at: datetime
    version: int
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RegisterEndpoint(Command[EndpointSnapshot]):
    """Make an endpoint; no event types means all. Looks the host up before its transaction. Refused with Invalid."""

    atomic: ClassVar[bool] = False
    url: str
    event_types: tuple[str, ...] = ()
    description: str = ""
    is_active: bool = True


@dataclass(frozen=True)
class CheckEndpoint(Command[None]):
    """Check that a webhook may be sent to this URL; looks its host up. Refused with Invalid if not."""

    atomic: ClassVar[bool] = False
    url: str


@dataclass(frozen=True)
class LookUpHost(Command[None]):
    """Look the host of `url` up ahead: inside a transaction the other commands use what is remembered."""

    atomic: ClassVar[bool] = False
    url: str


@dataclass(frozen=True)
class UpdateEndpoint(Command[EndpointSnapshot]):
    """Change an endpoint; None leaves a value as it is. Looks a new host up before its transaction.

    Refused with NotFound, Invalid, and VersionConflict if the endpoint's version is no longer `expected_version`.
    """

    atomic: ClassVar[bool] = False
    endpoint_id: int
    url: str | None = None
    event_types: tuple[str, ...] | None = None
    description: str | None = None
    is_active: bool | None = None
    expected_version: int | None = None


@dataclass(frozen=True)
class DeleteEndpoint(Command[None]):
    """Delete an endpoint with its deliveries. Refused with NotFound."""

    endpoint_id: int


@dataclass(frozen=True)
class RotateSecret(Command[EndpointSnapshot]):
    """Give an endpoint a new secret; the old one still signs beside it for a day, if it can be read.

    Refused with NotFound.
    """

    endpoint_id: int


@dataclass(frozen=True)
class SendTest(Command[int]):
    """Send a test message to an endpoint; answers its delivery's id. Refused with NotFound."""

    endpoint_id: int


@dataclass(frozen=True)
class RetryDelivery(Command[None]):
    """Send a delivery again at once, with fresh attempts. Refused with NotFound."""

    endpoint_id: int
    delivery_id: int


class Told(NamedTuple):
    """An event as endpoints are told of it; `body` is exactly what is sent."""

    event_id: int
    event_type: str
    body: str
    request_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True)
class FanOut(Command[int]):
    """Make a delivery of each event for each active endpoint that wants it; answers how many."""

    events: tuple[Told, ...]


@dataclass(frozen=True)
class DisableEndpoint(Command[None]):
    """Take an endpoint out of service and publish it; does nothing if it is already."""

    endpoint_id: int
    reason: str


@dataclass(frozen=True)
class PruneDeliveries(Command[int]):
    """Delete webhook deliveries that were settled longer ago than the retention; answers how many.

    One that still waits, perhaps for an endpoint that is switched off, stays for a second, longer retention.
    """

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class SendDue(Command[int]):
    """Send the deliveries that are due, until none are left or `seconds` have passed; answers how many attempts."""

    atomic: ClassVar[bool] = False
    # the rest of the task's soft time limit is for what is in flight then
    seconds: float = 200.0
