"""Transactions of use cases: what the database finds at the commit comes out as an error of the domain, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from psycopg.errors import ForeignKeyViolation

from apps.core.errors import Gone


@contextmanager
def unit_of_work() -> Iterator[None]:
    """`transaction.atomic()`, for whole use cases. Raises Gone if what a new row belongs to was deleted meanwhile.

    Django's foreign keys are checked at the COMMIT, so none of the statements before it would tell.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if isinstance(error.__cause__, ForeignKeyViolation):
            raise Gone from error
        raise
