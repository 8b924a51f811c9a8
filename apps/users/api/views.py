"""The users' routes; one view for every version, which differ only in their serializer."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from apps.core.api.components import CONDITIONS, NO_NUL, PAGE, documented
from apps.core.api.conditional import cache_headers, check_change, not_modified
from apps.core.api.pagination import paged
from apps.core.api.views import ApiView, caller, member, run_once
from apps.core.errors import FieldProblem, Invalid, NotAllowed
from apps.core.http.client import client_network
from apps.core.http.renderers import json_answer
from apps.core.reads import Cursor
from apps.users.api.authentication import TokenAuthentication, claims_given
from apps.users.api.late_check import LateCheck
from apps.users.api.serializers import Leaving, NewUser, UserChanges
from apps.users.api.token_views import OPEN_LIMIT
from apps.users.api.v1 import UserV1
from apps.users.api.versions import USER, USER_PAGE
from apps.users.commands import DeleteUser, Leave, RegisterUser, UpdateUser, UserSnapshot
from apps.users.queries import GetUser, ListUsers, Row
from apps.users.reads import FIELDS

SEARCH_LENGTH = 100
TAGGED = ("ETag", "Cache-Control", "Vary")


def representation(request: Request) -> type[UserV1]:
    """The user's serializer in the request's version."""
    return USER[str(request.version)]


class UserList(LateCheck):
    """Registration, open to anyone, and the list, for staff."""

    permission_classes = (AllowAny,)
    # a POST is open to anyone, but not with a token of a user who is deactivated or gone; each first statement checks
    authenticates: ClassVar = {"get": TokenAuthentication, "post": TokenAuthentication}
    body_limit = OPEN_LIMIT
    problems: ClassVar = {"post": (401, 409), "get": (400, 401, 403)}
    answers: ClassVar = {
        "post": lambda version: {201: USER[version]},
        "get": lambda version: {200: USER_PAGE[version]},
    }
    sends: ClassVar = {"post": ("Location", *TAGGED), "get": ("Link", "Cache-Control", "Vary")}

    @run_once
    @documented(request=NewUser, operation_id="users_register")
    def post(self, request: Request) -> HttpResponse:
        """Register a user; a welcome e-mail and the profile follow by themselves."""
        command = RegisterUser(**self.valid(NewUser, request))
        with self.unit_of_work(request):
            user = self.bus.execute(command)
        self.subject_id = user.id
        shape, row = representation(request), as_row(user)
        headers = {**cache_headers(shape.tag(row)), "Location": member(request, user.id)}
        return json_answer(shape.represent(row), 201, headers)

    @documented(
        parameters=[
            *PAGE,
            OpenApiParameter(
                "search",
                {"type": "string", "maxLength": SEARCH_LENGTH, "pattern": NO_NUL},
                description="Part of the name or the e-mail, in any letter case, with or without accents.",
            ),
            OpenApiParameter("is_active", bool, description="Only users who are, or are not, active."),
        ],
        operation_id="users_list",
        auth=[{"bearer": []}],
    )
    def get(self, request: Request) -> HttpResponse:
        """A page of users, newest first."""
        claims = claims_given(request)
        given = request.query_params
        shape = representation(request)

        def ask(limit: int, cursor: Cursor | None, search: str, is_active: bool | None) -> list[Row]:
            return self.bus.ask(ListUsers(shape.shows, claims, limit, cursor, search, is_active))

        headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Version"}
        filters = (
            lambda: read_search(given.get("search", "")),
            lambda: read_flag("is_active", given.get("is_active")),
        )
        return paged(request, ask, shape.represent, headers, filters)


class UserDetail(ApiView):
    """One user, for that user and for staff; to others there is no such user."""

    # the statement of a GET checks the caller itself
    authenticates: ClassVar = {"get": TokenAuthentication}
    problems: ClassVar = {"get": (304, 412), "patch": (403, 409, 412), "delete": (403, 409, 412)}
    answers: ClassVar = {
        "get": lambda version: {200: USER[version]},
        "patch": lambda version: {200: USER[version]},
    }
    sends: ClassVar = {"get": TAGGED, "patch": TAGGED}

    @documented(parameters=[*CONDITIONS], operation_id="users_retrieve")
    def get(self, request: Request, user_id: int) -> HttpResponse:
        """The user, or 304."""
        row = self._row(request, user_id)
        shape = representation(request)
        tag = shape.tag(row)
        return not_modified(request, tag) or json_answer(shape.represent(row), headers=cache_headers(tag))

    @documented(request=UserChanges, parameters=[*CONDITIONS], operation_id="users_update")
    def patch(self, request: Request, user_id: int) -> HttpResponse:
        """Change the name; for staff also whether the user is active."""
        expected = self._expected_version(request, user_id)
        changes = self.valid(UserChanges, request)
        if "is_active" in changes and not caller(request).is_staff:
            raise NotAllowed("Only staff may change is_active.")
        self.bus.execute(UpdateUser(user_id, **changes, expected_version=expected))
        row = self._row(request, user_id)
        shape = representation(request)
        return json_answer(shape.represent(row), headers=cache_headers(shape.tag(row)))

    @documented(parameters=[*CONDITIONS], responses={204: None}, operation_id="users_delete")
    def delete(self, request: Request, user_id: int) -> HttpResponse:
        """Delete the user; staff only."""
        expected = self._expected_version(request, user_id)
        if not caller(request).is_staff:
            raise NotAllowed("Only staff may delete users.")
        self.bus.execute(DeleteUser(user_id, expected_version=expected))
        return HttpResponse(status=204)

    def _expected_version(self, request: Request, user_id: int) -> int | None:
        row = self._row(request, user_id)
        return int(row["version"]) if check_change(request, representation(request).tag(row)) else None

    def _row(self, request: Request, user_id: int) -> Row:
        shape = representation(request)
        return self.bus.ask(GetUser(user_id, (*shape.shows, *shape.tagged_by), claims_given(request)))


class Me(UserDetail):
    """`/users/me`: the caller's own user, every method as under its id; but to leave takes no staff, and a password."""

    deletes_by_body = True

    @documented(operation_id="users_me_retrieve", parameters=[*CONDITIONS])
    def get(self, request: Request, user_id: int = 0) -> HttpResponse:
        """The caller, or 304."""
        return super().get(request, caller(request).id)

    @documented(operation_id="users_me_update", request=UserChanges, parameters=[*CONDITIONS])
    def patch(self, request: Request, user_id: int = 0) -> HttpResponse:
        """Change the caller."""
        return super().patch(request, caller(request).id)

    @documented(operation_id="users_me_delete", request=Leaving, parameters=[*CONDITIONS], responses={204: None})
    def delete(self, request: Request, user_id: int = 0) -> HttpResponse:
        """Erase the caller's account, for their password and a code of their second factor, if they have one."""
        user_id = caller(request).id
        expected = self._expected_version(request, user_id)
        given = self.valid(Leaving, request)
        self.bus.execute(Leave(user_id, client_network(request), **given, expected_version=expected))
        return HttpResponse(status=204)


def as_row(user: UserSnapshot) -> dict[str, Any]:
    """What a command answered as a row of the queries; the user's profile is made later, by a receiver."""
    return dict.fromkeys(FIELDS) | vars(user)


def read_search(text: str) -> str:
    """Up to 100 characters to look for. Raises Invalid."""
    if len(text) > SEARCH_LENGTH or "\0" in text:
        raise Invalid(
            [FieldProblem("/search", "invalid", f"must be up to {SEARCH_LENGTH} characters, none of them NUL")]
        )
    return text.strip()


def read_flag(name: str, text: str | None) -> bool | None:
    """True, False, or None for nothing given. Raises Invalid."""
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise Invalid([FieldProblem(f"/{name}", "invalid", "must be true or false")])
    return text.lower() == "true"
