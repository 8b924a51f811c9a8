"""What people wait for goes before bulk. The version before writes no `bulk`: its events are people's."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0003_admin_indexes'),
    ]

    operations = [
        migrations.AddField(
            model_name='outboxevent',
            name='bulk',
            field=models.BooleanField(db_default=False, default=False, help_text='nobody waits for it: what people do goes first'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='bulk',
            field=models.BooleanField(db_default=False, default=False, help_text='nobody waits for it: what people do goes first'),
        ),
    ]
