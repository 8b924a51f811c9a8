"""Log-ins with a password and, if there is a second factor, its code."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from rest_framework.test import APIClient

from apps.core.bus import Bus, bus
from apps.users.commands import LogIn, RefreshSession
from apps.users.factor_commands import CheckLogin, ConfirmTotp, RemoveTotp
from config.container import Container
from tests.conftest import PASSWORD

TOKEN, REFRESH, ME = "/api/v1/auth/token", "/api/v1/auth/token/refresh", "/api/v1/users/me"


def log_in(otp: str | None = None, password: str = PASSWORD, email: str = "ada@example.com", **more: Any) -> Any:
    body = {"email": email, "password": password} | ({} if otp is None else {"otp": otp})
    return APIClient().post(TOKEN, body, **more)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def logged_in(otp: str | None = None, **more: Any) -> APIClient:
    answer = log_in(otp, **more)
    assert answer.status_code == 200, answer.json()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    return client


def bearer(client: Any) -> dict[str, str]:
    """The header that `client` sends, for other threads' clients."""
    return {"Authorization": client._credentials["HTTP_AUTHORIZATION"]}


def with_settings(**changes: Any) -> ExitStack:
    """The service as it is after a restart with these settings."""
    restarted = Bus()
    Container(dataclasses.replace(settings.ENV, **changes)).wire(restarted)
    stack = ExitStack()
    for command in (LogIn, CheckLogin, RefreshSession, ConfirmTotp, RemoveTotp):
        stack.enter_context(bus.replaced(command, restarted.execute))
    return stack


def code_or_200(answer: Any) -> str:
    return "200" if answer.status_code == 200 else str(answer.json()["code"])
