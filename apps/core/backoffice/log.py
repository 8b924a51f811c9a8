"""The admin's log: who did what, kept in words, so that it outlives both the person and the row.

Django's own LogEntry goes with the user who acted (its key is NOT NULL and cascades), and is written before a deletion
that may still be refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import models
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import NoReverseMatch

from apps.core.backoffice.links import page_of
from apps.core.models import AdminNote

ADDITION, CHANGE, DELETION = AdminNote.Flag
NAME_LENGTH = 200


def note(request: HttpRequest, flag: AdminNote.Flag, message: str, key: str, name: str, model: str = "") -> None:
    """Write down what the request's user did to what is called `name`; a row has its key and `model` ("jobs.job")."""
    # whoever is in the admin is logged in
    user_id: Any = request.user.pk
    what = {"flag": flag, "message": message, "object_id": key, "name": name[:NAME_LENGTH], "model": model}
    AdminNote.objects.create(user_id=user_id, who=str(request.user), **what)


def note_row(request: HttpRequest, flag: AdminNote.Flag, row: models.Model, message: str = "") -> None:
    """Write down what the request's user did to `row`.

    One that is deleted is called by its attribute `once_gone`, if it has one.
    """
    name = getattr(row, "once_gone", "") if flag == DELETION else ""
    note(request, flag, message, str(row.pk), name or str(row), row._meta.label_lower)


def notes_of(model: str, key: object) -> models.QuerySet[AdminNote]:
    """What was done to one row, the newest first."""
    return AdminNote.objects.filter(model=model, object_id=str(key)).order_by("-id")


def address_of(entry: AdminNote) -> str:
    """The page of the row that the entry is about; empty if there is none."""
    if not entry.model or entry.flag == DELETION:
        return ""
    try:
        return page_of(entry.model, entry.object_id)
    except NoReverseMatch:
        return ""


def said(message: Any) -> str:
    """Django's description of a change in words."""
    if isinstance(message, str):
        return message
    fields = [str(name) for part in message for name in part.get("changed", {}).get("fields", ())]
    return f"changed {', '.join(fields)}" if fields else ""


def prune(retention: timedelta) -> int:
    """Delete what was written down longer ago than `retention`; returns how many notes."""
    # a process of an older release may still have written some of those
    LogEntry.objects.filter(action_time__lt=Now() - retention).delete()
    deleted, _ = AdminNote.objects.filter(at__lt=Now() - retention).delete()
    return deleted
