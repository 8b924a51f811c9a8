from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, TrigramExtension
from django.db import migrations, models

from apps.users.search import searchable

BATCH = 5000


def fill(apps: Any, schema_editor: Any) -> None:
    """Fold every user's name and e-mail, a batch a transaction, so that no lock is held for long."""
    users = apps.get_model("users", "User").objects
    last = 0
    while batch := list(users.filter(pk__gt=last).order_by("pk").only("id", "name", "email")[:BATCH]):
        for user in batch:
            user.search = searchable(user.name, user.email)
        users.bulk_update(batch, ["search"])
        last = batch[-1].pk


class Migration(migrations.Migration):

    dependencies = [("users", "0001_initial")]
    # batches and an index that is built beside the writes
    atomic = False

    operations = [
        TrigramExtension(),
        migrations.AddField("user", "search", models.TextField(default="", db_default="", editable=False)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        AddIndexConcurrently("user", GinIndex(fields=["search"], name="users_search", opclasses=["gin_trgm_ops"])),
    ]
