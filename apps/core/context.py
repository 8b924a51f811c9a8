"""What follows a piece of work from the client's header through the outbox to the last retry in a worker.

Its request id, and its place in a trace, as a W3C traceparent: both are taken from the client, stored with what has to
be done later, and passed on. Without a tracer the place is passed on as it came. With one (`trace_with`) each `span`
is a place of its own:

    with span("publish user.created", "producer"):
        row = (event, traceparent())

Source: https://www.w3.org/TR/trace-context/#traceparent-header.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, Protocol, Self

import structlog

if TYPE_CHECKING:
    from django.http import HttpRequest

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
TRACEPARENT_LENGTH = 55
# the flags that are defined: sampled, and an id drawn at random
KNOWN_FLAGS = 0b11
Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool]
NOTHING: Attributes = {}

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_traceparent: ContextVar[str] = ContextVar("traceparent", default="")
# the request that is being answered
serving: ContextVar[HttpRequest | None] = ContextVar("serving", default=None)


def request_id() -> str:
    """The id of the request that caused the current work; empty if there is none."""
    return _request_id.get()


def accept_request_id(offered: str) -> str:
    """`offered` if it is 8 to 128 letters, digits, `.`, `_`, `-`; else a new random id of 32 characters."""
    return offered if REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex


@contextmanager
def bound(request_id: str, **values: object) -> Iterator[None]:
    """Run the block with `request_id` and `values` on every log line written in it."""
    token = _request_id.set(request_id)
    try:
        with structlog.contextvars.bound_contextvars(request_id=request_id, **values):
            yield
    finally:
        _request_id.reset(token)


def current_route() -> str:
    """The template of the route that is being answered; empty outside a request."""
    request = serving.get()
    match = request.resolver_match if request else None
    return match.route if match else ""


def accept_traceparent(offered: str) -> str:
    """`offered` as this service passes it on, in version 00; empty if it is not a W3C traceparent."""
    found = TRACEPARENT.fullmatch(offered) if offered else None
    if found is None or (found[1] == "00" and found[5]):
        return ""
    return f"00-{found[2]}-{found[3]}-{int(found[4], 16) & KNOWN_FLAGS:02x}"


class Span:
    """A piece of work that is not traced; a tracer's own spans keep what they are told."""

    def rename(self, name: str) -> None:
        """Give the span a name that was not known when it began."""

    def note(self, attributes: Attributes) -> None:
        """Keep `attributes` with the span."""

    def fail(self, reason: str) -> None:
        """Say that the work failed, though nothing was raised; `reason` names a kind of error, without data."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: whatever was raised goes on."""


class Tracer(Protocol):
    """What makes spans; a process has one at most."""

    def span(self, name: str, kind: Kind, parents: Collection[str] | None, attributes: Attributes) -> Span: ...

    def continued(self, traceparent: str) -> AbstractContextManager[object]: ...

    def traceparent(self) -> str: ...

    def records(self) -> bool: ...


class _Carried(Span):
    """A block in which `traceparent()` is what came with the work."""

    def __init__(self, traceparent: str) -> None:
        self._value = traceparent

    def __enter__(self) -> Self:
        self._token = _traceparent.set(self._value)
        return self

    def __exit__(self, *_: object) -> None:
        _traceparent.reset(self._token)


UNTRACED = Span()
_tracer: Tracer | None = None


def trace_with(tracer: Tracer | None) -> None:
    """Let `tracer` make the spans of this process; None: nobody."""
    global _tracer  # noqa: PLW0603 - one for the process, like the log
    _tracer = tracer


def span(
    name: str, kind: Kind = "internal", attributes: Attributes = NOTHING, *, parents: Collection[str] | None = None
) -> Span:
    """A context manager: its block is a span of the trace that it belongs to.

    Without `parents` that is the trace of the work around it, and the block is no span if there is none. `parents` are
    the stored traceparents of what caused the block: if none is a valid one, a trace begins; if there are several, one
    begins that is linked with each of theirs.
    """
    if _tracer:
        return _tracer.span(name, kind, parents, attributes)
    if parents is None or not (any(parents) or _traceparent.get()):
        return UNTRACED
    return _Carried(only(parents))


def continued(traceparent: str) -> AbstractContextManager[object]:
    """A context manager: its block belongs to the span that `traceparent` names; to no trace if it is empty."""
    if _tracer:
        return _tracer.continued(traceparent)
    return _Carried(accept_traceparent(traceparent)) if traceparent or _traceparent.get() else UNTRACED


def only(parents: Collection[str]) -> str:
    """The one valid traceparent among `parents`; empty if there is none, or more than one."""
    valid = {accepted for parent in set(parents) if (accepted := accept_traceparent(parent))}
    return valid.pop() if len(valid) == 1 else ""


def traceparent() -> str:
    """Where in a trace the current work is, to be stored or sent with what it causes; empty if there is no trace."""
    return _tracer.traceparent() if _tracer else _traceparent.get()


def carried() -> dict[str, str]:
    """The header that tells another machine where in a trace it is asked; none if there is no trace."""
    place = traceparent()
    return {"traceparent": place} if place else {}


def recorded() -> bool:
    """Whether a span that began here would be kept; cheaper to ask than to make the facts of a span for nothing."""
    return _tracer is not None and _tracer.records()


def sampled() -> tuple[str, str] | None:
    """The ids of the trace and the span of the current work, if the trace is recorded."""
    place = traceparent()
    return (place[3:35], place[36:52]) if place and int(place[53:], 16) & 1 else None
