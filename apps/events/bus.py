"""The event bus: Django's signals, fed by a transactional outbox.

`publish` writes an event beside the change that caused it. After the commit the relay makes a delivery for each
receiver, and a worker sends the signal. A receiver is an ordinary signal receiver that does its work:

    @on(UserRegistered)
    def open_account(event: UserRegistered) -> None:
        bus.execute(OpenAccounts((event.user_id,)))  # commits together with the mark "delivered"

    @on(UserRegistered, many=True)  # or many at once, in one statement
    def open_account(events: Sequence[UserRegistered]) -> None:
        bus.execute(OpenAccounts(tuple(event.user_id for event in events)))

    @on(UserRegistered, waits=True)
    def ask_for_rating(event: UserRegistered) -> RecordRating:
        rating = bureau.ask(event.email)  # no transaction is open while it waits
        return RecordRating(event.user_id, rating)  # run and committed together with the mark
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Any, ClassVar, Self, TypeVar

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connection
from django.dispatch import Signal

from apps.core.bus import Command, send_later
from apps.core.context import request_id, span, traceparent

log = structlog.get_logger("events")
happened = Signal()
"""Sent with `sender=type(event)`, `event`, `stored` and `receiver_name`; each receiver answers to its own name.

For a receiver that takes many at once, `event` and `stored` are lists.
"""

# of the columns that keep the names of types and receivers
NAME_LENGTH = 100
# of the types that are this service's own business: the feed does not show them, and no webhook gets them
INTERNAL = "internal."
# of each batch, however much people's work there is
BULK_SHARE = 0.1
INSERT = (
    "INSERT INTO events_outboxevent (type, aggregate, data, request_id, traceparent, bulk)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)

INSERT_ALL = """
    INSERT INTO events_outboxevent (type, aggregate, data, request_id, traceparent, bulk)
    SELECT e ->> 0, e ->> 1, (e -> 2)::jsonb, %s, %s, %s FROM json_array_elements(%s) WITH ORDINALITY
        AS events(e, place) ORDER BY place"""


@dataclass(frozen=True)
class Event:
    """Something that happened, in the past tense. Subclasses are frozen dataclasses of plain JSON values.

    What a field's type cannot say to those who consume the event, `Annotated` does, in keywords of JSON Schema.
    A `type` that begins with INTERNAL is heard by the receivers of that type alone.
    """

    type: ClassVar[str]
    # counts what was added: docs/events.md says how an event may change
    schema_version: ClassVar[int] = 1
    # the fields that tell who somebody is; they are replaced once the person is erased
    personal: ClassVar[tuple[str, ...]] = ()

    @property
    def aggregate(self) -> str:
        """What the event is about; events of one aggregate reach each receiver in order."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """The event's content as JSON values."""
        return dict(vars(self))

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """The event that `data` was made of, by this version of the code or an earlier one.

        Raises TypeError if `data` does not fit.
        """
        return cls(**data)


@dataclass(frozen=True)
class StoredEvent:
    """An event as the outbox holds it; what a receiver of every event gets."""

    id: int
    type: str
    aggregate: str
    data: dict[str, Any]
    occurred_at: datetime
    request_id: str = ""
    traceparent: str = ""


E = TypeVar("E", bound=Event)
Handler = Callable[..., "Command[Any] | None"]


# of these event types those that a receiver has a use for now
Wanted = Callable[[Sequence[str]], "set[str]"]


@dataclass(frozen=True)
class Receiver:
    """A registered receiver: the name on its deliveries, the event it hears (None: every one), whether it waits."""

    name: str
    event: type[Event] | None
    waits: bool
    many: bool = False
    wanted: Wanted | None = None


EVENTS: dict[str, type[Event]] = {}
RECEIVERS: dict[str, Receiver] = {}


_bulk: ContextVar[bool] = ContextVar("bulk", default=False)


class NotInTransaction(RuntimeError):
    """An event was published outside a transaction: it could be lost, or be told although it did not happen."""


def event(cls: type[E]) -> type[E]:
    """Class decorator: let the outbox read events of `cls.type` back. Raises ImproperlyConfigured for a second one."""
    if len(cls.type) > NAME_LENGTH:
        raise ImproperlyConfigured(f"the event type {cls.type} is longer than {NAME_LENGTH} characters")
    if cls.type in EVENTS:
        raise ImproperlyConfigured(f"the event type {cls.type} is already {EVENTS[cls.type].__name__}")
    EVENTS[cls.type] = cls
    return cls


@contextmanager
def bulk() -> Iterator[None]:
    """What is published in this block, and what follows from it, lets the events go first that a person waits for."""
    token = _bulk.set(True)
    try:
        yield
    finally:
        _bulk.reset(token)


def is_bulk() -> bool:
    """Whether what happens now is bulk: see `bulk`."""
    return _bulk.get()


def room_for_bulk(limit: int, people: int) -> int:
    """How much bulk goes with `people` rows in a batch of `limit`: the room that is left, and always a little."""
    return max(limit - people, ceil(limit * BULK_SHARE))


def publish(happening: Event) -> None:
    """Write `happening` to the outbox; it is told once the surrounding transaction has committed, else never.

    Raises NotInTransaction outside a transaction.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction(
            f"publish({type(happening).__name__}) needs transaction.atomic() around it and its cause"
        )
    with span(f"publish {happening.type}", "producer"):
        cause = request_id(), traceparent(), _bulk.get()
        send_later(INSERT, (happening.type, happening.aggregate, json.dumps(happening.data()), *cause))


def publish_all(happenings: Sequence[Event]) -> None:
    """Like `publish`, for many events in one statement."""
    if not connection.in_atomic_block:
        raise NotInTransaction("publish_all needs transaction.atomic() around it and its cause")
    if not happenings:
        return
    rows = [(h.type, h.aggregate, h.data()) for h in happenings]
    with span(f"publish {happenings[0].type}", "producer", {"messaging.batch.message_count": len(rows)}):
        cause = request_id(), traceparent(), _bulk.get()
        send_later(INSERT_ALL, [*cause, json.dumps(rows)])


def on(
    heard: type[E] | None, *, waits: bool = False, many: bool = False, wanted: Wanted | None = None
) -> Callable[[Handler], Handler]:
    """Decorator: connect a module-level function to `heard`; if None to all but internal events, as StoredEvents.

    With `waits` it runs outside a transaction, and may return the command that keeps what it learned.
    With `many` it gets a list of events, of as many requests: if it raises, each event is tried again in a list alone.
    The relay asks `wanted` after it has read a batch: types that it leaves out make no delivery for this receiver.

    The receiver's name is `app.function`. Raises ImproperlyConfigured if the name is taken or too long.
    """

    def decorate(function: Handler) -> Handler:
        # apps.users.receivers: users; a module in no package: itself
        app = function.__module__.split(".")[-2:][0]
        name = f"{app}.{function.__name__}"
        if len(name) > NAME_LENGTH:
            raise ImproperlyConfigured(f"the receiver's name {name} is longer than {NAME_LENGTH} characters")
        if name in RECEIVERS:
            raise ImproperlyConfigured(f"a receiver named {name} is already connected")
        if waits and many:
            raise ImproperlyConfigured(f"{name}: who waits for another machine waits for one event at a time")
        RECEIVERS[name] = Receiver(name, heard, waits, many, wanted)

        # without functools.wraps: Django looks at the signature of what it is given, and would see the function's
        def answer_to_name(
            sender: type[Event], event: object, stored: object, receiver_name: str, **_: Any
        ) -> Command[Any] | None:
            # a relay of an earlier version, in the middle of a deploy, delivers what is internal to everybody
            if receiver_name != name or (heard is None and sender.type.startswith(INTERNAL)):
                return None
            return function(stored if heard is None else event)

        happened.connect(answer_to_name, sender=heard, dispatch_uid=name, weak=False)
        return function

    return decorate


def public_types() -> list[str]:
    """The types of events that the feed and webhooks know, sorted."""
    return sorted(name for name in EVENTS if not name.startswith(INTERNAL))


def receivers_of(event_type: str) -> list[Receiver]:
    """The receivers that hear events of `event_type`."""
    cls, public = EVENTS.get(event_type), not event_type.startswith(INTERNAL)
    return [r for r in RECEIVERS.values() if (public if r.event is None else r.event is cls)]


def receivers_with_a_use(event_types: set[str]) -> dict[str, list[Receiver]]:
    """For each of `event_types` the receivers that hear it and have a use for it at this moment."""
    heard = {event_type: receivers_of(event_type) for event_type in event_types}
    for receiver in {r for receivers in heard.values() for r in receivers if r.wanted}:
        for event_type in {t for t in event_types if receiver in heard[t]} - _wanted(receiver, event_types):
            heard[event_type].remove(receiver)
    return heard


def _wanted(receiver: Receiver, event_types: set[str]) -> set[str]:
    try:
        return receiver.wanted(sorted(event_types)) if receiver.wanted else event_types
    except DatabaseError:
        raise
    except Exception:  # a mistake of one receiver must not stop the others: it gets everything
        log.exception("wanted_failed", receiver=receiver.name)
        return event_types


def send(stored: StoredEvent, receiver_name: str) -> Command[Any] | None:
    """Send the signal for one stored event to one receiver; returns the command it answers with, if any.

    Raises whatever the receiver raises, LookupError for a type or a receiver that the code no longer has, TypeError for
    content that its class does not know.
    """
    happening, told = _read(stored, receiver_name)
    if RECEIVERS[receiver_name].many:
        return _send([happening], [told], type(happening), receiver_name)
    return _send(happening, told, type(happening), receiver_name)


def send_many(stored: Sequence[StoredEvent], receiver_name: str) -> None:
    """Like `send`, for events of one type and a receiver that takes many at once."""
    read = [_read(one, receiver_name) for one in stored]
    happenings, told = [happening for happening, _ in read], [one for _, one in read]
    if _send(happenings, told, type(happenings[0]), receiver_name) is not None:
        raise TypeError(f"{receiver_name} returned a command: only a receiver with waits=True may")


def _read(stored: StoredEvent, receiver_name: str) -> tuple[Event, StoredEvent]:
    if stored.type not in EVENTS or receiver_name not in RECEIVERS:
        raise LookupError(f"no receiver {receiver_name} for {stored.type}; deploy the code that has it, then replay")
    happening = EVENTS[stored.type].read(stored.data)
    # what an earlier version wrote is told in this version's form
    return happening, replace(stored, data=happening.data())


def _send(event: object, stored: object, sender: type[Event], receiver_name: str) -> Command[Any] | None:
    answers = happened.send(sender, event=event, stored=stored, receiver_name=receiver_name)
    # the stubs say that every receiver answers with a text
    commands: list[Any] = [answer for _, answer in answers if answer is not None]
    return commands[0] if commands else None
