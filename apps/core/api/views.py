"""The base of every API view."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, Any, ClassVar, Protocol

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.api.bodies import Taken, declared_bytes, in_memory, spooled
from apps.core.api.fields import Body, checker
from apps.core.api.idempotency import RunOnce
from apps.core.api.parsers import MOST_VALUES
from apps.core.api.underlying import django_request
from apps.core.bus import bus, send_later, unit_of_work
from apps.core.errors import DomainError
from apps.core.http.client import client_network
from apps.core.http.refusals import EncodedBody, LengthRequired, MalformedBody, UnsupportedMediaType


class Caller(Protocol):
    """Who calls, as the authentication found them."""

    id: int
    is_staff: bool


def caller(request: Request) -> Caller:
    """The authenticated caller of `request`; DRF's types know Django's own users only."""
    user: Any = request.user
    return user  # type: ignore[no-any-return] # a Caller by ActiveUserAuthentication


class IsStaff(BasePermission):
    """Staff only."""

    message = "Only staff may do this."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(getattr(request.user, "is_staff", False))


def address(request: Request, name: str, *keys: object) -> str:
    """The path of the route `name`, in the version that `request` came in."""
    namespace = request.resolver_match.namespace if request.resolver_match else "v1"
    return reverse(f"{namespace}:{name}", args=keys)


def member(request: Request, key: object) -> str:
    """The path of the member `key` of the collection that `request` was posted to."""
    return f"{request.path}/{key}"


def whose(request: Request) -> str:
    """Whom an Idempotency-Key belongs to: the user, else the client's network."""
    user_id = getattr(request.user, "id", None)
    return f"addr:{client_network(django_request(request))}" if user_id is None else f"user:{user_id}"


# decorator for the `post` of an ApiView
run_once = RunOnce(
    digest_of=lambda view, request: str(view.take_body(request).digest),
    caller_of=whose,
    atomic=lambda view, request: view.unit_of_work(request),
    send=send_later,
    refusals=(APIException, DomainError),
)


class ApiView(APIView):
    """Parses, checks and answers; the work itself goes to the bus.

    `authenticates` names the authentication of a method, if it is not the default one: a read whose own statement
    checks the caller needs no other. For the schema, `deletes_by_body` says that a DELETE takes a body; and by method,
    `problems` lists the error statuses beyond the usual, `answers` has a function from a version to the serializers by
    status, `sends` the headers of an answer that is not an error.
    """

    bus = bus
    # what a refusal writes is kept, though nothing else of an idempotent request is: a failed login, a stolen token
    keeps_refusals = False
    # the user whom a POST's answer tells about or logs in; `post` sets it, and the kept answer is deleted with them
    subject_id: int | None = None
    # bytes of a body, default the setting BODY_LIMIT; and JSON values in it
    body_limit: ClassVar[int | None] = None
    most_values: ClassVar[int] = MOST_VALUES
    taken: Taken | None = None
    authenticates: ClassVar[dict[str, type[BaseAuthentication]]] = {}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {}
    deletes_by_body: ClassVar[bool] = False
    answers: ClassVar[dict[str, Callable[[str], dict[int, Any]]]] = {}
    sends: ClassVar[dict[str, tuple[str, ...]]] = {}

    def get_authenticators(self) -> list[Any]:
        """The authentication that `authenticates` names for this method, else the class's own."""
        method = str(getattr(self.request, "method", "")).lower()
        chosen = self.authenticates.get("get" if method == "head" else method)
        return [chosen()] if chosen else super().get_authenticators()

    def unit_of_work(self, request: Request) -> AbstractContextManager[None]:
        """The transaction of a POST with an Idempotency-Key."""
        return unit_of_work(whole=not self.keeps_refusals)

    def limit(self) -> int:
        """How many bytes a body of this route may have."""
        return self.body_limit or int(settings.BODY_LIMIT)

    def take_body(self, request: Request) -> Taken:
        """The whole body, read once. Raises ContentTooLarge past the route's limit, MalformedBody for half a body."""
        if self.taken is None:
            self.taken = self.read_body(django_request(request))
        return self.taken

    def read_body(self, request: HttpRequest) -> Taken:
        """Read the body, for `take_body`; here into memory."""
        return in_memory(request, self.limit())

    def valid(self, body: type[Body], request: Request) -> dict[str, Any]:
        """The body's values, checked. Raises Invalid with all that is wrong with them."""
        return checker(body).check(self.body(request))

    def no_body(self, request: Request) -> None:
        """Refuse a body with members, on a route that takes none; no body at all and {} are fine."""
        if self.take_body(request).size:
            self.valid(Body, request)

    def body(self, request: Request) -> Any:
        """The parsed body. Raises MalformedBody if there is none, which DRF would take for an empty one."""
        self.take_body(request)
        if isinstance(request.data, QueryDict):
            raise UnsupportedMediaType(request.content_type)
        if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
            raise MalformedBody("The body is missing; send a JSON object.")
        return request.data

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Take a small body before anything asks the database, whose connections must not wait for clients.

        Refuse a body without a length, which WSGI would take for an empty one, and one that is compressed.
        """
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired
        if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
            raise EncodedBody
        if 0 < declared_bytes(django_request(request)) <= min(self.limit(), settings.BODY_LIMIT):
            self.take_body(request)
        super().initial(request, *args, **kwargs)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Run DRF's own, and close the body at the end, whatever happens."""
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            if self.taken is not None:
                self.taken.close()

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The methods that this route takes."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class StreamView(ApiView):
    """Takes a body that may be large: it is in a temporary file by the time a handler runs, and gone with the request.

    A subclass says in `body_limit` how many bytes it takes.
    """

    def read_body(self, request: HttpRequest) -> Taken:
        return spooled(request, self.limit())

    def upload(self, request: Request) -> IO[bytes]:
        """The body as a binary file that stands at its beginning; closed with the request."""
        file = self.take_body(request).file
        file.seek(0)
        return file
