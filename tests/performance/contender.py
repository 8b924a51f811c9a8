"""One of the measured processes: python -m tests.performance.contender service|plain|floor."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable
from wsgiref.types import WSGIApplication

import django
import jwt
import orjson

from tests.performance.probing import Layer, Probe, Requests, requests, serve

SEEDED = 10_000
CALLER_ID = 1

_numbers = itertools.count()


def new_user() -> bytes:
    """The body of a registration, each time with a new e-mail."""
    email = f"{os.getpid()}-{next(_numbers)}@example.com"
    return orjson.dumps({"email": email, "name": "User Number"})


KINDS = {
    "get": Requests("GET", [f"/api/v1/users/{number}" for number in range(2, SEEDED)]),
    "list": Requests("GET", ["/api/v1/users"], query="limit=100"),
    "post": Requests("POST", ["/api/v1/users"], body=new_user),
}


def of(application: WSGIApplication, token: str) -> dict[str, Probe]:
    """The three kinds of requests to `application`."""
    return {name: requests(application, kind, token) for name, kind in KINDS.items()}


def bench_token() -> str:
    """A token of the seeded staff user, for the stacks that have no login."""
    now = int(time.time())
    return jwt.encode({"sub": str(CALLER_ID), "iat": now, "exp": now + 86_400}, os.environ["SECRET_KEY"], "HS256")


def service() -> tuple[dict[str, Probe], list[Layer]]:
    """This service as it is in production, and each of its layers with and without."""
    from config.wsgi import application
    from tests.performance import layers

    token = layers.log_in()
    probes = of(application, token)
    return probes | layers.probes(KINDS, token), layers.LAYERS


def plain() -> tuple[dict[str, Probe], list[Layer]]:
    """Django REST framework as its documentation teaches it."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.performance.plain_settings"
    django.setup()
    from django.core.handlers.wsgi import WSGIHandler

    return of(WSGIHandler(), bench_token()), []


def floor() -> tuple[dict[str, Probe], list[Layer]]:
    """The least that does the job in Python."""
    from tests.performance.floor import application

    return of(application, bench_token()), []


def growing() -> tuple[dict[str, Probe], list[Layer]]:
    """What the service does all day, to be asked at different numbers of rows."""
    from config.wsgi import application
    from tests.performance import growing, layers

    return growing.probes(application, layers.log_in()), []


CONTENDERS: dict[str, Callable[[], tuple[dict[str, Probe], list[Layer]]]] = {
    "service": service,
    "plain": plain,
    "floor": floor,
    "growing": growing,
}


if __name__ == "__main__":
    serve(*CONTENDERS[sys.argv[1]]())
