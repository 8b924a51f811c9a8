"""Requests that change an address, confirm the change and undo it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.conftest import PASSWORD

CHANGE, VERIFY, UNDO = "/api/v1/auth/email", "/api/v1/auth/email-verification", "/api/v1/auth/email/undo"
OLD, OTHER = "ada@example.com", "ada@example.org"
Register = Callable[..., UserSnapshot]


def change(client: APIClient, email: str = OTHER, password: str = PASSWORD, **more: Any) -> Any:
    return client.post(CHANGE, {"email": email, "password": password}, **more)


def confirm(given: str) -> Any:
    return APIClient().post(VERIFY, {"token": given})


def undo(given: str) -> Any:
    return APIClient().post(UNDO, {"token": given})


def email() -> str:
    """Ada's address."""
    return User.objects.order_by("id").first().email  # type: ignore[union-attr] # she is there
