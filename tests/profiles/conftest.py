"""Fixtures of the profiles' tests."""

from tests.users.conftest import as_zoe, zoe  # noqa: F401 - somebody who leaves
