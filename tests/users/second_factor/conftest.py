"""Ada, who has a password and may set up a second factor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from tests.users.second_factor.logins import logged_in, with_settings


@pytest.fixture
def client(ada: UserSnapshot) -> APIClient:
    """Ada's, logged in with her password."""
    return logged_in()


@pytest.fixture
def strict(early_in_a_minute: None) -> Iterator[None]:
    """Three failed attempts a minute, in a minute that does not end during the test."""
    with with_settings(login_rate_limit_per_minute=3):
        yield
