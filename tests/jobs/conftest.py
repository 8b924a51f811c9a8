"""Fixtures of the jobs' tests: somebody who will leave."""

from __future__ import annotations

from tests.users.conftest import as_zoe, zoe

__all__ = ["as_zoe", "zoe"]
