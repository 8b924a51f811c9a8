"""What follows a piece of work from the client's header through the outbox to the last retry in a worker."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from django.http import HttpRequest

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")

_request_id: ContextVar[str] = ContextVar("request_id", default="")
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
