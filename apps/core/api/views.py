"""The base of every API view."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar, Protocol

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from rest_framework import exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from apps.core.api.idempotency import run_once
from apps.core.bus import bus


class Caller(Protocol):
    """Who calls, as the authentication found them."""

    id: int
    is_staff: bool


def caller(request: Request) -> Caller:
    """The authenticated caller of `request`; DRF's types know Django's own users only."""
    user: Any = request.user
    return user  # type: ignore[no-any-return] # a Caller by ActiveUserAuthentication


class LengthRequired(exceptions.APIException):
    """The body has no Content-Length."""

    status_code = 411
    default_code = "length_required"
    default_detail = "Send the body with a Content-Length, not in chunks."


class EncodedBody(exceptions.APIException):
    """The body is compressed."""

    status_code = 415
    default_code = "unsupported_media_type"
    default_detail = "Send the body as it is, without a Content-Encoding."


class IsStaff(BasePermission):
    """Staff only."""

    message = "Only staff may do this."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(getattr(request.user, "is_staff", False))


def address(request: Request, name: str, *keys: object) -> str:
    """The path of the route `name`, in the version that `request` came in."""
    namespace = request.resolver_match.namespace if request.resolver_match else "v1"
    return reverse(f"{namespace}:{name}", args=keys)


@cache
def checker(serializer_class: type[Serializer[Any]]) -> Serializer[Any]:
    """The one instance that checks bodies: to make one copies its fields, and `run_validation` keeps no state."""
    return serializer_class()


class ApiView(APIView):
    """Parses, checks and answers; what is to be done it asks of the bus.

    For the schema, by method: `problems` lists the error statuses beyond the usual, `answers` has a function from a
    version to the serializers by status, `sends` the headers of an answer that is no error.
    """

    bus = bus
    idempotent = True
    # what a refusal writes is kept, though nothing else of an idempotent request is: a failed login, a stolen token
    keeps_refusals = False
    # the user whom a POST's answer tells about or logs in; `post` sets it, and the kept answer ends with them
    subject_id: int | None = None
    problems: ClassVar[dict[str, tuple[int, ...]]] = {}
    answers: ClassVar[dict[str, Callable[[str], dict[int, Any]]]] = {}
    sends: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.idempotent and "post" in vars(cls):
            cls.post = run_once(cls.post)  # type: ignore[attr-defined] # it is there, by the line above

    def hold_body(self, request: Request) -> None:
        """Keep the body beyond its parsing, for `body_digest`."""
        _ = request._request.body

    def body_digest(self, request: Request) -> str:
        """SHA-256 of the whole body."""
        return hashlib.sha256(request._request.body).hexdigest()

    def valid(self, serializer_class: type[Serializer[Any]], request: Request) -> dict[str, Any]:
        """The body's values, checked. Raises ValidationError."""
        data: dict[str, Any] = checker(serializer_class).run_validation(self.body(request))
        return data

    def body(self, request: Request) -> Any:
        """The parsed body. Raises ParseError where there is none, which DRF would take for an empty one."""
        if isinstance(request.data, QueryDict):
            raise exceptions.UnsupportedMediaType(request.content_type)
        if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
            raise exceptions.ParseError("The body is missing; send a JSON object.")
        return request.data

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuses a body without a length, which WSGI would take for an empty one, and one that is compressed."""
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired
        if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
            raise EncodedBody
        super().initial(request, *args, **kwargs)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The methods that this route takes."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class StreamView(ApiView):
    """Takes its body piece by piece: `pieces` yields it once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._digest, self._whole = hashlib.sha256(), False

    def read(self, request: Request) -> Iterator[bytes]:
        """The body as it comes in."""
        raise NotImplementedError

    def pieces(self, request: Request) -> Iterator[bytes]:
        """The body as it comes in, noting its digest."""
        for piece in self.read(request):
            self._digest.update(piece)
            yield piece
        self._whole = True

    def hold_body(self, request: Request) -> None:
        """Nothing: it is digested while it comes in."""

    def body_digest(self, request: Request) -> str:
        if not self._whole:
            deque(self.pieces(request), maxlen=0)
        return self._digest.hexdigest()
