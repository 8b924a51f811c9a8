"""Tables of what has no domain."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class IdempotentAnswer(models.Model):
    """The first answer to a POST with an Idempotency-Key, kept to be given again; `body` is encrypted."""

    key = models.CharField(max_length=64, primary_key=True, help_text="digest of caller and key")
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.key[:8]}… {self.status}"
