"""What each layer of this service costs: every job with the layer, and without it. Needs Django to be set up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar
from unittest.mock import patch

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path, register_converter
from rest_framework.versioning import BaseVersioning

from apps.core.api.conditional import cache_headers
from apps.core.api.converters import Key
from apps.core.bus import Bus, Command, Query, bus
from apps.core.http.renderers import json_answer
from apps.core.reads import CompiledRead
from apps.core.resilience.retry import Retry
from apps.events.bus import publish
from apps.jobs.commands import SubmitJob
from apps.users import queries, reads
from apps.users.api import views
from apps.users.api.authentication import ActiveUserAuthentication, claims_of
from apps.users.api.v1 import UserV1
from apps.users.commands import IssueToken, LogIn, RegisterUser, UserSnapshot
from apps.users.errors import EmailTaken
from apps.users.events import UserRegistered
from apps.users.models import User
from apps.users.queries import GetUser, ListUsers, ReadToken, Row
from apps.users.repositories import DjangoUsers
from apps.users.services import snapshot
from apps.users.tokens import AccessTokens
from config.container import Container
from tests.performance.probing import Layer, Probe, Requests, each, requests

Around = Callable[[], AbstractContextManager[Any]]
EMAIL, PASSWORD = "bench@example.com", "correct horse battery staple"
# each leaves out the middleware of this class
WITHOUT = {
    "no rate limit": ("rate_limit",),
    "no headers": ("SecurityMiddleware", "XFrameOptionsMiddleware"),
    "no common": ("CommonMiddleware", "WhiteNoiseMiddleware"),
    "no admin": ("SessionMiddleware", "CsrfViewMiddleware", "AuthenticationMiddleware", "MessageMiddleware"),
    "no log": ("RequestLogMiddleware",),
    "no version": ("version",),
}
TAGGED = (*UserV1.shows, *UserV1.tagged_by)

LAYERS = [
    Layer("middleware", "GET: the rate limit, in Valkey", "get", "get: no rate limit"),
    Layer("middleware", "GET: security headers, two of Django's", "get", "get: no headers"),
    Layer("middleware", "GET: CommonMiddleware and WhiteNoise", "get", "get: no common"),
    Layer("middleware", "GET: the admin's four, passing by", "get", "get: no admin"),
    Layer("structured logging", "GET: request id, duration, log line", "get", "get: no log"),
    Layer("structured logging", "one more log line", "log line"),
    Layer("API versioning", "GET: version found and said", "get", "get: no version"),
    Layer("authentication", "GET: caller checked inside the statement", "get", "get: nobody checked"),
    Layer("authentication", "… had it a statement of its own", "get: own statement", "get"),
    Layer("authentication", "… did each reading verify the token anew", "get: tokens anew", "get"),
    Layer("authentication", "… its session looked up, too", "get", "get: operator's token"),
    Layer("database", "GET: a connection from the pool each time", "get", "get: kept connection"),
    Layer("framework", "GET: DRF's view instead of Django's", "get", "get: Django view"),
    Layer("CQRS", "ask: the query bus", "ask", "answer"),
    Layer("CQRS", "execute: log and metrics", "execute", "handle"),
    Layer("CQRS", "execute: the transaction around one statement", "execute atomic", "execute one"),
    Layer("CQRS", "… did each GET build its statement anew", "get: built anew", "get"),
    Layer("CQRS", "… did the list read models by a serializer", "read models", "read rows"),
    Layer("service layer", "POST: rules, unusable password, snapshot", "post", "post: no service"),
    Layer("repository", "a row through it instead of by the ORM", "repository get", "orm get"),
    Layer("validation", "POST: the serializer of the body", "post", "post: no serializer"),
    Layer("event bus", "POST: publish, one row in the outbox", "post", "post: no event"),
    Layer("idempotency", "POST with an Idempotency-Key", "post: with key", "post"),
    Layer("background tasks", "a job submitted", "submit"),
    Layer("circuit breaker", "a call through it, state in Valkey", "breaker", "handle"),
    Layer("retry", "a call that succeeds at once", "retry", "handle"),
    Layer("dependency injection", "the container built and wired, once a process", "compose"),
]


def log_in() -> str:
    """The access token of a staff user's login; the user is made if there is none."""
    with suppress(EmailTaken):
        bus.execute(RegisterUser(EMAIL, "Bench", PASSWORD, is_staff=True))
    return bus.execute(LogIn(email=EMAIL, address="127.0.0.1", password=PASSWORD)).access


def probes(kinds: Mapping[str, Requests], token: str) -> dict[str, Probe]:
    """Every probe that LAYERS names beyond the plain requests."""
    return _stripped(kinds["get"], token) | _rewired(kinds, token) | _direct(token)


def _stripped(kind: Requests, token: str) -> dict[str, Probe]:
    """GET without some of the middleware."""
    around: dict[str, Around] = {"no version": _one_version}
    found = {
        f"get: {name}": requests(_handler(skip), kind, token, around.get(name, nullcontext))
        for name, skip in WITHOUT.items()
    }
    bare = _handler((), [f"{__name__}.BareRoutes"])
    return found | {"get: Django view": requests(bare, kind, token)}


def _rewired(kinds: Mapping[str, Requests], token: str) -> dict[str, Probe]:
    """Requests to the whole stack with one part of it replaced."""
    whole = _handler(())
    operator = bus.execute(IssueToken(EMAIL))
    env = settings.ENV

    def tokens_anew(query: ReadToken) -> Any:
        return AccessTokens(env.secret_key, env.algorithm, 1).read(query.token)

    def get(around: Around, bearer: str = token) -> Probe:
        return requests(whole, kinds["get"], bearer, around)

    def post(around: Around) -> Probe:
        return requests(whole, kinds["post"], token, around)

    keyed = replace(kinds["post"], headers=lambda: {"HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex})
    return {
        "post: with key": requests(whole, keyed, token),
        "get: nobody checked": get(lambda: bus.replaced(GetUser, _anybody)),
        "get: built anew": get(lambda: bus.replaced(GetUser, _built_anew)),
        "get: own statement": get(lambda: patch.object(views.UserDetail, "get_authenticators", _ask_first)),
        "get: tokens anew": get(lambda: bus.replaced(ReadToken, tokens_anew)),
        "get: operator's token": get(nullcontext, operator),
        "get: kept connection": get(_kept_connection),
        "post: no service": post(lambda: bus.replaced(RegisterUser, _insert)),
        "post: no serializer": post(lambda: patch.object(views.UserList, "valid", _unchecked)),
        "post: no event": post(lambda: patch("apps.users.services.publish", _keep_quiet)),
    }


def _direct(token: str) -> dict[str, Probe]:
    """Parts called by themselves."""
    bus.register(Execute, _nothing)
    bus.register(Ask, _nothing)
    bus.register(ExecuteOne, _one_statement)
    bus.register(ExecuteAtomic, _one_statement)
    container, log = Container(settings.ENV), structlog.get_logger("bench")
    breaker, retry, users = container.breaker("bench"), Retry(), DjangoUsers()
    claims = bus.ask(ReadToken(token))
    page = ListUsers(UserV1.shows, claims, 100)
    message = Handle()
    return {
        "log line": each(lambda: log.info("something_happened", user_id=1, duration_ms=1.25)),
        "answer": each(lambda: _nothing(message)),
        "handle": each(lambda: _nothing(message)),
        "ask": each(lambda: bus.ask(Ask())),
        "execute": each(lambda: bus.execute(Execute())),
        "execute one": each(lambda: bus.execute(ExecuteOne())),
        "execute atomic": each(lambda: bus.execute(ExecuteAtomic())),
        "read rows": each(lambda: [UserV1.represent(row) for row in queries.list_users(page)]),
        "read models": each(lambda: UserV1(User.objects.order_by("-id")[:101], many=True).data),
        "repository get": each(lambda: users.get(2)),
        "orm get": each(lambda: User.objects.get(pk=2)),
        "submit": each(lambda: bus.execute(SubmitJob("process", None, {"rows": [{"a": 1}]}))),
        "breaker": each(lambda: breaker.call(_nothing, message)),
        "retry": each(lambda: retry.call(_nothing, message)),
        "compose": each(lambda: Container(settings.ENV).wire(Bus())),
    }


def _handler(skip: Collection[str], more: Collection[str] = ()) -> WSGIHandler:
    """The service with its middleware except the classes `skip`, and `more` inside. Raises LookupError."""
    kept = [name for name in settings.MIDDLEWARE if name.rpartition(".")[2] not in skip]
    if len(kept) != len(settings.MIDDLEWARE) - len(skip):
        raise LookupError(f"not all of {', '.join(skip)} are in MIDDLEWARE")
    with override_settings(MIDDLEWARE=[*kept, *more]):
        return WSGIHandler()


class BareRoutes:
    """Middleware: leads to this module's routes instead of the service's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.urlconf = __name__
        return self.get_response(request)


def bare_user(request: HttpRequest, user_id: int) -> HttpResponse:
    """GET /users/{id} without DRF."""
    claims = claims_of(request)
    if claims is None:
        return HttpResponse(status=401)
    row = bus.ask(GetUser(user_id, TAGGED, claims))
    return json_answer(UserV1.represent(row), headers=cache_headers(UserV1.tag(row)))


register_converter(Key, "bench_key")
urlpatterns = [path("api/v1/users/<bench_key:user_id>", bare_user)]


@dataclass(frozen=True)
class Handle(Command[None]):
    """Nothing, its handler called directly."""


@dataclass(frozen=True)
class Execute(Command[None]):
    """Nothing, through the bus."""

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class ExecuteOne(Command[None]):
    """One statement, each its own transaction."""

    atomic: ClassVar[bool] = False


@dataclass(frozen=True)
class ExecuteAtomic(Command[None]):
    """One statement in the transaction of the bus."""


@dataclass(frozen=True)
class Ask(Query[None]):
    """Nothing, as a query."""


def _nothing(message: object) -> None:
    """A handler that does nothing."""


def _one_statement(message: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@lru_cache
def _unguarded(fields: tuple[str, ...]) -> CompiledRead:
    return CompiledRead(reads.shown(User.objects.filter(id=reads.ANY_USER), fields), user=reads.ANY_USER)


def _anybody(query: GetUser) -> Row:
    return _unguarded(query.fields).fetch(user=query.user_id)[0]


def _built_anew(query: GetUser) -> Row:
    reads.one_user.cache_clear()
    return queries.get_user(query)


def _ask_first(view: views.UserDetail) -> list[Any]:
    return [ActiveUserAuthentication()]


def _insert(command: RegisterUser) -> UserSnapshot:
    row = DjangoUsers().create(User(email=command.email, name=command.name))
    publish(UserRegistered(row.id, row.email, row.name))
    return snapshot(row)


def _unchecked(view: views.UserList, serializer_class: object, request: Any) -> dict[str, Any]:
    return dict(request.data)


def _keep_quiet(happening: object) -> None:
    """Publishes nothing."""


class _V1(BaseVersioning):
    def determine_version(self, request: Any, *args: Any, **kwargs: Any) -> str:
        return "v1"


def _one_version() -> AbstractContextManager[Any]:
    return patch.object(views.UserDetail, "versioning_class", _V1)


@contextmanager
def _kept_connection() -> Iterator[None]:
    """Let the connection stay with the thread from request to request."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
        connection.close()
