"""CQRS: one bus, two kinds of message.

A command changes something; it runs in one pipeline of log, metrics and transaction. A query only reads; it runs
without any of these. The handlers are bound methods and functions that the composition root (config/container.py and
config/wiring) registers; the sender knows only the message.

    user = bus.execute(RegisterUser(email="ada@example.com", name="Ada"))
    row = bus.ask(GetUser(user_id=user.id, ...))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from django.db import IntegrityError, connection, transaction
from prometheus_client import Histogram
from psycopg.errors import ForeignKeyViolation

from apps.core.errors import DomainError, Gone

R = TypeVar("R")
log = structlog.get_logger("bus")
# whether a unit of work that is opened now is a part of the one around it
_in_whole: ContextVar[bool] = ContextVar("in_whole", default=False)
COMMANDS = Histogram(
    "command_seconds", "Commands run by the bus", ["command", "outcome"], buckets=(0.005, 0.025, 0.1, 0.5, 2.5, 15)
)


class Command(Generic[R]):
    """A wish to change something, answered with `R`. Subclasses are frozen dataclasses.

    `atomic` says whether the bus opens the transaction; a command that waits for another machine sets it False
    and hands what it learned to a second command.
    """

    atomic: ClassVar[bool] = True


class Query(Generic[R]):
    """A question, answered with `R`; asking changes nothing. Subclasses are frozen dataclasses."""


class HandlerError(Exception):
    """The composition root made a mistake: no handler for a message, or two."""


@contextmanager
def unit_of_work(*, whole: bool = False) -> Iterator[None]:
    """`transaction.atomic()`, for whole use cases. Raises Gone if what a new row belongs to was deleted meanwhile.

    Django's foreign keys are checked at the COMMIT, so no statement before it would fail. With `whole` an error of a
    command in it ends it all, so a command needs no savepoint; whoever catches the error cannot go on.
    """
    part, outer = _in_whole.get(), _in_whole.set(whole)
    try:
        with transaction.atomic(savepoint=not part):
            yield
    except IntegrityError as error:
        if isinstance(error.__cause__, ForeignKeyViolation):
            raise Gone from error
        raise
    finally:
        _in_whole.reset(outer)


def after_commit(act: Callable[[], object]) -> None:
    """Call `act` once the unit of work is kept, and not at all if it is rolled back; at once if there is none."""
    transaction.on_commit(act)


def send_later(sql: str, params: Sequence[Any]) -> None:
    """Run a statement of this transaction that has no answer; the service's own backend sends it with the next one."""
    if later := getattr(connection, "send_later", None):
        later(sql, params)
        return
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


class Bus:
    """Finds the one handler of a message and runs it."""

    def __init__(self) -> None:
        self._handlers: dict[type, Callable[[Any], Any]] = {}

    def register(self, message: type[Command[R]] | type[Query[R]], handler: Callable[[Any], R]) -> None:
        """Let `handler` answer `message`. Raises HandlerError if another one already does."""
        if message in self._handlers:
            raise HandlerError(f"{message.__name__} already has a handler: {self._handlers[message]!r}")
        self._handlers[message] = handler

    @contextmanager
    def replaced(self, message: type[Command[R]] | type[Query[R]], handler: Callable[[Any], R]) -> Iterator[None]:
        """Let `handler` answer `message` in this block; for tests."""
        before = self._find(message)
        self._handlers[message] = handler
        try:
            yield
        finally:
            self._handlers[message] = before

    def execute(self, command: Command[R]) -> R:
        """Run `command` and return its handler's answer; nothing is kept if it raises.

        Raises HandlerError without a handler, Gone if what it made belongs to something that was deleted meanwhile,
        else whatever the handler raises.
        """
        handler: Callable[[Command[R]], R] = self._find(type(command))
        name = type(command).__name__
        start = time.perf_counter()
        outcome = "failed"
        try:
            if command.atomic:
                with unit_of_work():
                    answer = handler(command)
            else:
                answer = handler(command)
            outcome = "done"
            return answer
        except DomainError as error:
            outcome = error.code
            raise
        finally:
            seconds = time.perf_counter() - start
            COMMANDS.labels(name, outcome).observe(seconds)
            log.debug("command", command=name, outcome=outcome, duration_ms=round(seconds * 1000, 2))

    def ask(self, query: Query[R]) -> R:
        """Return the answer to `query`. Raises HandlerError without a handler."""
        handler: Callable[[Query[R]], R] = self._find(type(query))
        return handler(query)

    def _find(self, message: type) -> Callable[[Any], Any]:
        try:
            return self._handlers[message]
        except KeyError:
            raise HandlerError(f"{message.__name__} has no handler; register one in config/wiring") from None

    def registered(self) -> dict[str, str]:
        """Message name → handler's qualified name, for people and tests."""
        return {m.__name__: getattr(h, "__qualname__", repr(h)) for m, h in self._handlers.items()}


bus = Bus()
