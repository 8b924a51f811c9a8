"""Nothing waits for another machine between BEGIN and COMMIT: how code that waits checks that."""

from __future__ import annotations

from django.db import connections


class WaitsInTransaction(RuntimeError):
    """Another machine was to be asked inside a transaction, whose locks would be held until it answers."""


def in_transaction() -> bool:
    """Whether this thread has a transaction open; the one that a test runs in, to be rolled back, does not count."""
    return any(
        not getattr(block, "_from_testcase", False)
        for one in connections.all(initialized_only=True)
        for block in one.atomic_blocks
    )
