"""Jobs of users who left, which are deleted next, and jobs that only their owner sees."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    # writes go on while the index is built
    atomic = False

    dependencies = [
        ('jobs', '0006_traceparent'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='left_by',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='job',
            name='private',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        AddIndexConcurrently(
            model_name='job',
            index=models.Index(condition=models.Q(('left_by__isnull', False)), fields=['left_by'], name='jobs_left'),
        ),
    ]
