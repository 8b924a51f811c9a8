"""A client of the service itself, over HTTP, as anybody else would be."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from django.conf import settings

from apps.core.bus import bus
from apps.tour.experiments import CannotRun
from apps.users.commands import IssueToken

TIMEOUT_SECONDS = 20
# neither proxies nor certificates
ON_LOOPBACK: dict[str, Any] = {"trust_env": False, "verify": False}


@contextmanager
def client() -> Iterator[httpx.Client]:
    """A client of the service. Raises CannotRun if it does not answer."""
    with httpx.Client(base_url=settings.TOUR_URL, timeout=TIMEOUT_SECONDS, **ON_LOOPBACK) as http:
        try:
            yield http
        except httpx.HTTPError as error:
            raise CannotRun(f"The service did not answer its own tour: {type(error).__name__}.") from error


def traced(http: httpx.Client, trace_id: str) -> None:
    """Make the next requests of `http` parts of the trace `trace_id`."""
    # W3C Trace Context: version, trace, this end's span, sampled
    http.headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"


def address(name: str) -> str:
    """An e-mail address that nobody has yet."""
    return f"{name}-{secrets.token_hex(4)}@example.com"


def register(http: httpx.Client, email: str, name: str = "Ada Lovelace", **more: Any) -> httpx.Response:
    """The answer to a registration."""
    return http.post("/api/v1/users", json={"email": email, "name": name, **more})


def newcomer(http: httpx.Client, name: str) -> int:
    """Register somebody and let `http` act for them; their id. Raises CannotRun.

    They have a limit of requests of their own, which an experiment may use up.
    """
    email = address(name)
    user_id = int(done(register(http, email)).json()["id"])
    http.headers["Authorization"] = f"Bearer {bus.execute(IssueToken(email))}"
    return user_id


def done(answer: httpx.Response) -> httpx.Response:
    """`answer` if it is a success. Raises CannotRun with the reason for a refusal."""
    if answer.is_success:
        return answer
    raise CannotRun(f"The service refused a step of this: {answer.json().get('detail', answer.status_code)}")


def code_of(answer: httpx.Response) -> str:
    """The code of a problem document; empty for any other answer."""
    return str(answer.json().get("code", "")) if answer.is_error else ""
