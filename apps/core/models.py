"""Tables that belong to no domain."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class IdempotentAnswer(models.Model):
    """The first answer to a POST with an Idempotency-Key, kept to be given again; `body` is encrypted.

    `caller_id` is the user it was given to, if any, `subject_id` the user that it tells about or logs in.
    """

    key = models.CharField(max_length=64, primary_key=True, help_text="digest of caller and key")
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    caller_id = models.BigIntegerField(null=True)
    subject_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["caller_id"], name="core_answer_caller", condition=Q(caller_id__isnull=False)),
            models.Index(fields=["subject_id"], name="core_answer_subject", condition=Q(subject_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.key[:8]}… {self.status}"


class AdminNote(models.Model):
    """What somebody did in the admin, in words, so that it can be read when both they and the row are gone.

    Instead of Django's LogEntry, whose rows go with the user who acted.
    """

    class Flag(models.IntegerChoices):
        """Django's numbers for what was done."""

        ADDITION = 1
        CHANGE = 2
        DELETION = 3

    at = models.DateTimeField(db_default=Now(), db_index=True)
    user_id = models.BigIntegerField(help_text="who acted; not a key, since they may be deleted")
    who = models.CharField(max_length=254)
    flag = models.PositiveSmallIntegerField(choices=Flag)
    model = models.CharField(max_length=100, blank=True, default="", help_text='as in "users.user"')
    object_id = models.CharField(max_length=255, blank=True, default="")
    name = models.CharField(max_length=200)
    message = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = "log entry"
        verbose_name_plural = "log entries"
        indexes: ClassVar = [
            models.Index(fields=["user_id", "-id"], name="core_note_user"),
            models.Index(fields=["model", "object_id", "-id"], name="core_note_row"),
        ]

    def __str__(self) -> str:
        return f"{self.who}: {self.get_flag_display()} {self.name}"

    @property
    def css(self) -> str:
        """Django's style for such an entry."""
        return {self.Flag.ADDITION: "addlink", self.Flag.CHANGE: "changelink"}.get(self.Flag(self.flag), "deletelink")
