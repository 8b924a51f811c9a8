"""Empties the tables after a test whose transactions were real; what the migrations made once, stays.

Django would make all content types and permissions anew each time, which takes twice as long as the rest.
"""

from __future__ import annotations

from django.db import connection
from django.test import TransactionTestCase

MADE_ONCE = {"django_content_type", "auth_permission"}


def _empty(case: TransactionTestCase) -> None:
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = ", ".join(connection.ops.quote_name(name) for name in found if name not in MADE_ONCE)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables}")


TransactionTestCase._fixture_teardown = _empty  # type: ignore[attr-defined] # what pytest-django's fixtures call
