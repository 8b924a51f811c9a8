"""Fixtures of the users' tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.users.commands import UserSnapshot
from tests.conftest import PASSWORD
from tests.users.leavers import EMAIL


@pytest.fixture
def ada(register: Callable[..., UserSnapshot]) -> UserSnapshot:
    """A user with a password."""
    return register(password=PASSWORD)


@pytest.fixture
def zoe(register: Callable[..., UserSnapshot]) -> UserSnapshot:
    """A user who will leave."""
    return register(EMAIL, "Zoe Quill", password=PASSWORD)


@pytest.fixture
def as_zoe(zoe: UserSnapshot, client_of: Callable[..., APIClient]) -> APIClient:
    """A client of hers."""
    return client_of(zoe)
