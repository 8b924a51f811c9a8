"""Repository: where an aggregate's rows are found, locked, changed and checked against the database's own rules.

What every aggregate shares stands here, typed; an aggregate's own verbs stand in its repositories.py, behind a Protocol
that its service owns. No QuerySet leaves a repository, none of its methods commits (the transaction belongs to the use
case), and what the database refuses comes out as an error of the domain.
Source: M. Fowler, Patterns of Enterprise Application Architecture: Repository, Optimistic Offline Lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, models
from django.db.models import F, Field
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now
from django.db.models.sql import InsertQuery

from apps.core.errors import DomainError, NotFound, VersionConflict


class Versioned(Protocol):
    """What a row needs for optimistic locking."""

    version: int


M = TypeVar("M", bound=models.Model)
_inserts: dict[tuple[Field[Any, Any], ...], str] = {}
CHANGED = "It was changed since you read it; read it again first."


def check_version(row: Versioned, expected: int | None) -> None:
    """Raises VersionConflict if `row` has another version than the expected one; None accepts any."""
    if expected is not None and row.version != expected:
        raise VersionConflict(CHANGED)


def insert(row: models.Model) -> None:
    """Insert `row` and fill in what the database chose, as `save(force_insert=True)` does; no signals are sent.

    The ORM writes the statement once for each set of columns; writing it costs three times what running it does.
    """
    meta = row._meta
    given = [(field, field.pre_save(row, add=True)) for field in meta.local_concrete_fields if not field.generated]
    given = [
        (field, value)
        for field, value in given
        if not isinstance(value, DatabaseDefault) and (value is not None or field is not meta.auto_field)
    ]
    if any(hasattr(value, "as_sql") for _, value in given):
        row.save(force_insert=True)
        return
    fields = tuple(field for field, _ in given)
    if (sql := _inserts.get(fields)) is None:
        sql = _inserts[fields] = _compiled(row, fields)
    # each look at django.db.connection looks it up
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_save(value, database) for field, value in given])
        chosen = cursor.fetchone() if meta.db_returning_fields else ()
    for field, value in zip(meta.db_returning_fields, chosen, strict=True):
        setattr(row, field.attname, value)
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _compiled(row: models.Model, fields: tuple[Field[Any, Any], ...]) -> str:
    query = InsertQuery(type(row))
    query.insert_values(fields, [row])
    compiler: Any = query.get_compiler(DEFAULT_DB_ALIAS)
    compiler.returning_fields = row._meta.db_returning_fields
    ((sql, _),) = compiler.as_sql()
    return str(sql)


class DjangoRepository(Generic[M]):
    """Get, list, create, update and delete for a model with an integer key and a `version`.

    `conflicts` names the domain error for each database constraint that a caller can run into.
    """

    model: type[M]
    conflicts: ClassVar[Mapping[str, Callable[[], DomainError]]] = {}

    def get(self, key: int) -> M:
        """The row with `key`. Raises NotFound."""
        return self._found(self.model._default_manager.filter(pk=key), key)

    def lock(self, key: int) -> M:
        """The row, locked until the transaction ends; rows that refer to it can still be added. Raises NotFound."""
        return self._found(self.model._default_manager.filter(pk=key).select_for_update(no_key=True), key)

    def lock_to_delete(self, key: int) -> M:
        """Like `lock`, but rows that refer to it can no longer be added."""
        return self._found(self.model._default_manager.filter(pk=key).select_for_update(), key)

    def list(self, *, after: int = 0, limit: int = 100) -> list[M]:
        """Up to `limit` rows with keys above `after`, in the order of their keys."""
        return list(self.model._default_manager.filter(pk__gt=after).order_by("pk")[:limit])

    def create(self, row: M) -> M:
        """Insert `row` and return it with what the database filled in. Raises the error that `conflicts` names."""
        with self._translated():
            insert(row)
        return row

    def update(self, row: M, **changes: Any) -> M:
        """Write `changes` to `row` if its version is still the one that was read, and count the version up.

        Raises VersionConflict if another transaction was faster, NotFound if the row is gone.
        """
        version = row.version  # type: ignore[attr-defined] # Versioned; a Protocol cannot join a bound on Model
        rows = self.model._default_manager.filter(pk=row.pk, version=version)
        with self._translated():
            changed = rows.update(**changes, version=F("version") + 1, updated_at=Now())
        if not changed:
            self.get(int(row.pk))
            raise VersionConflict(CHANGED)
        row.refresh_from_db()
        return row

    def delete(self, row: M) -> None:
        """Delete `row`, and with it what cannot exist without it."""
        row.delete()

    def _found(self, rows: models.QuerySet[M], key: int) -> M:
        try:
            return rows.get()
        except ObjectDoesNotExist:
            raise NotFound(f"There is no {self.model._meta.verbose_name} {key}.") from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
            translated = self.conflicts.get(constraint or "")
            if translated is None:
                raise
            raise translated() from error
