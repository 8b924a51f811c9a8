"""What people wait for goes before bulk. The version before writes no `bulk`: its messages are people's."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0003_traceparent'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhookdelivery',
            name='bulk',
            field=models.BooleanField(db_default=False, default=False, help_text='nobody waits for it: what people do goes first'),
        ),
    ]
