"""Ada, who changes her address."""

from __future__ import annotations

import pytest

from apps.users.commands import UserSnapshot
from tests.users.email_change.changing import OLD, OTHER, change, confirm
from tests.users.letters import post, token
from tests.users.test_own_password import logged_in


@pytest.fixture
def asked(ada: UserSnapshot) -> str:
    """The token in the mail to the new address."""
    assert change(logged_in()).status_code == 202
    post()
    return token(OTHER)


@pytest.fixture
def changed(asked: str) -> str:
    """The token in the mail to the old address."""
    assert confirm(asked).status_code == 204
    post()
    return token(OLD)
