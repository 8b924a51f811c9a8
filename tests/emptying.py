"""Empties the tables after a test whose transactions were real; what the migrations made once, stays.

Django would make all content types and permissions anew each time, and TRUNCATE makes new files for each table and each
of its indexes: for the few rows of a test that is ten times the work of deleting them.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.test import TransactionTestCase

MADE_ONCE = {"django_content_type", "auth_permission"}
MANY = 1000


def _empty(case: TransactionTestCase) -> None:
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [connection.ops.quote_name(name) for name in found if name not in MADE_ONCE]
    looks = (
        f"SELECT '{one}', EXISTS (SELECT FROM {one} OFFSET {MANY}) WHERE EXISTS (SELECT FROM {one})" for one in tables
    )
    # foreign keys are checked at the commit: by then all is gone, whatever refers to what
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks))
        filled = dict(cursor.fetchall())
        if any(filled.values()):
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
        elif filled:
            cursor.execute("; ".join(f"DELETE FROM {one}" for one in filled))


TransactionTestCase._fixture_teardown = _empty  # type: ignore[attr-defined] # what pytest-django's fixtures call
