from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry as DjangoEntry
from django.db import migrations, transaction

BATCH = 1000


def move(apps: Any, schema_editor: Any) -> None:
    """Turn Django's log entries into notes, a batch a transaction: they would go with the user who acted."""
    LogEntry = apps.get_model("admin", "LogEntry")
    AdminNote = apps.get_model("core", "AdminNote")
    while True:
        with transaction.atomic():
            batch = list(LogEntry.objects.select_related("user", "content_type").order_by("pk")[:BATCH])
            AdminNote.objects.bulk_create([note_of(AdminNote, entry) for entry in batch])
            LogEntry.objects.filter(pk__in=[entry.pk for entry in batch]).delete()
        if len(batch) < BATCH:
            return


def note_of(model: Any, entry: Any) -> Any:
    kind = entry.content_type
    return model(
        at=entry.action_time,
        user_id=entry.user_id,
        who=entry.user.email,
        flag=entry.action_flag,
        model=f"{kind.app_label}.{kind.model}" if kind else "",
        object_id=(entry.object_id or "")[:255],
        name=entry.object_repr,
        message=DjangoEntry(change_message=entry.change_message).get_change_message(),
    )


class Migration(migrations.Migration):

    dependencies = [
        ("core", "0003_kept_answers_by_person"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    # batches
    atomic = False

    operations = [migrations.RunPython(move, migrations.RunPython.noop)]
