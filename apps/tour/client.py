"""A client of the service itself, over HTTP, as anybody else would be."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from django.conf import settings

from apps.core.bus import bus
from apps.core.errors import NotFound
from apps.tour.experiments import CannotRun
from apps.users.commands import IssueToken

TIMEOUT_SECONDS = 20
DEMO_STAFF = "admin@example.com"


@contextmanager
def client(token: str = "") -> Iterator[httpx.Client]:
    """A client of /api, with a token or without. Raises CannotRun if the service does not answer it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # on loopback: neither proxies nor certificates
    with httpx.Client(
        base_url=settings.TOUR_URL,
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
        verify=False,  # noqa: S501 # http
    ) as http:
        try:
            yield http
        except httpx.HTTPError as error:
            raise CannotRun(f"The service did not answer its own tour: {type(error).__name__}.") from error


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


def staff_token() -> str:
    """An access token of the demo staff user. Raises CannotRun without one."""
    try:
        return bus.execute(IssueToken(DEMO_STAFF))
    except NotFound:
        raise CannotRun(f"This needs the demo user {DEMO_STAFF}, whom make run puts into its own database.") from None
