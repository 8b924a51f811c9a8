"""Repository, naive: generic get, list, create, update and delete for any model, each of which keeps what it did."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class Repository(Generic[M]):
    """Rows of one model."""

    def __init__(self, model: type[M]) -> None:
        self.model = model

    def get(self, key: int) -> M | None:
        return self.model._default_manager.filter(pk=key).first()

    def list(self, skip: int = 0, limit: int = 100) -> list[M]:
        return list(self.model._default_manager.order_by("pk")[skip : skip + limit])

    def create(self, row: M) -> M:
        row.save()
        return row

    def update(self, row: M, **changes: Any) -> M:
        for name, value in changes.items():
            setattr(row, name, value)
        row.save()
        return row

    def delete(self, key: int) -> bool:
        row = self.get(key)
        if row is None:
            return False
        row.delete()
        return True
