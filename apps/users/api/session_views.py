"""The routes of the caller's own sessions: where they are logged in, and how to end that."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from apps.core.api.components import documented
from apps.core.api.underlying import django_request
from apps.core.api.views import ApiView, caller, run_once
from apps.core.http.client import client_area
from apps.core.http.renderers import json_answer
from apps.users.api.authentication import TokenAuthentication, claims_given
from apps.users.api.serializers import SessionList
from apps.users.commands import Device, EndSession, EndSessions
from apps.users.errors import NoSession
from apps.users.models import USER_AGENT_LENGTH
from apps.users.session_queries import ListSessions


def device_of(request: Request) -> Device:
    """What a session's owner can recognise `request` by; of its User-Agent only what can be shown."""
    said = str(request.META.get("HTTP_USER_AGENT", ""))[:USER_AGENT_LENGTH]
    shown = "".join(letter if letter.isprintable() else " " for letter in said)
    return Device(client_area(django_request(request)), shown.strip())


class Sessions(ApiView):
    """The caller's sessions."""

    # the statement of a GET checks the caller itself
    authenticates: ClassVar = {"get": TokenAuthentication}
    answers: ClassVar = {"get": lambda version: {200: SessionList}, "delete": lambda version: {204: None}}
    sends: ClassVar = {"get": ("Cache-Control",)}

    @documented(operation_id="auth_sessions_list")
    def get(self, request: Request) -> HttpResponse:
        """Where the caller is logged in: up to 100 sessions, newest first, the caller's own among them."""
        found = self.bus.ask(ListSessions(claims_given(request)))
        return json_answer({"results": list(map(_shown, found))}, headers={"Cache-Control": "no-store"})

    @documented(operation_id="auth_sessions_end_others")
    def delete(self, request: Request) -> HttpResponse:
        """Log out everywhere else, the admin included: every session but the caller's own ends, listed or not."""
        self.bus.execute(EndSessions(caller(request).id, claims_given(request).session_id))
        return HttpResponse(status=204)


class SessionDetail(ApiView):
    """One session of the caller."""

    answers: ClassVar = {"delete": lambda version: {204: None}}

    @documented(operation_id="auth_sessions_end")
    def delete(self, request: Request, session_id: uuid.UUID) -> HttpResponse:
        """End the session: its tokens stop at once."""
        self.bus.execute(EndSession(caller(request).id, session_id))
        return HttpResponse(status=204)


class LogOut(ApiView):
    """The end of the caller's own session."""

    answers: ClassVar = {"post": lambda version: {204: None}}

    @run_once
    @documented(request=None, operation_id="auth_logout")
    def post(self, request: Request) -> HttpResponse:
        """End the session that this token belongs to: its tokens stop at once."""
        self.no_body(request)
        session_id = claims_given(request).session_id
        if session_id is None:
            raise NoSession
        self.bus.execute(EndSession(caller(request).id, session_id))
        return HttpResponse(status=204)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    # nobody knows where a command was typed, or what a client called itself that said nothing
    return row | {"network": row["network"] or None, "user_agent": row["user_agent"] or None}
