"""What Django's log held becomes notes, in words."""

from __future__ import annotations

import json
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from apps.core.models import AdminNote
from apps.users.commands import UserSnapshot
from apps.users.models import User

pytestmark = pytest.mark.django_db


def test_django_s_entries_are_moved(boss: UserSnapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    migration = import_module("apps.core.migrations.0004_admin_log")
    monkeypatch.setattr(migration, "BATCH", 2)
    kind = ContentType.objects.get_for_model(User)
    changed = json.dumps([{"changed": {"fields": ["Name"]}}])
    for number, (flag, said, of) in enumerate([(2, changed, kind), (3, "", kind), (2, "closed by hand", None)]):
        entry = {"action_flag": flag, "change_message": said, "content_type": of}
        LogEntry.objects.create(user_id=boss.id, object_id=str(number), object_repr=f"row {number}", **entry)
    migration.move(apps, None)
    assert not LogEntry.objects.exists()
    columns = ("user_id", "who", "flag", "model", "object_id", "name", "message")
    assert list(AdminNote.objects.order_by("id").values_list(*columns)) == [
        (boss.id, boss.email, 2, "users.user", "0", "row 0", "Changed Name."),
        (boss.id, boss.email, 3, "users.user", "1", "row 1", ""),
        (boss.id, boss.email, 2, "", "2", "row 2", "closed by hand"),
    ]
