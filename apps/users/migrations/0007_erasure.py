"""People who were deleted and are being erased."""


import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0006_second_factor_misses'),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), null=True)),
                ('token', models.UUIDField(editable=False, null=True)),
                ('last_error', models.TextField(blank=True, default='')),
                ('user_id', models.BigIntegerField(unique=True)),
                ('person', models.TextField(editable=False)),
                ('holding', models.CharField(blank=True, db_default='', default='', max_length=100)),
                ('after', models.CharField(blank=True, db_default='', default='', max_length=100)),
                ('passes', models.PositiveSmallIntegerField(db_default=0, default=0)),
                ('begun_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['due_at', 'id'], name='users_erasure_due')],
            },
        ),
    ]
