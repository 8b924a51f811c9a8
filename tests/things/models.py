"""Things: each has a name of its own, and what the tests need besides."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

NAME_LENGTH, NOTE_LENGTH = 100, 100_000


class Thing(models.Model):
    """A thing. Without migrations: its table is made with the test database."""

    name = models.CharField(max_length=NAME_LENGTH)
    note = models.TextField(default="", blank=True)
    is_done = models.BooleanField(default=False)
    # closed by a Box
    secret = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint("name", name="things_unique_name")]

    def __str__(self) -> str:
        return self.name
