"""Profiles: what the people directory knows of a user."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Profile(models.Model):
    """One per user; empty until the people directory has answered."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    display_name = models.CharField(max_length=200, blank=True, default="")
    company = models.CharField(max_length=200, blank=True, default="")
    avatar_url = models.CharField(max_length=2000, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    enriched_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-user_id"]

    def __str__(self) -> str:
        return self.display_name or f"profile of user {self.user_id}"
