"""Indexes of the fair turns, and of the inputs that are still kept, made while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('jobs', '0004_turn'),
    ]

    operations = [
        AddIndexConcurrently(
            'job',
            models.Index(fields=['turn', 'id'], name='jobs_turn', condition=Q(due_at__isnull=False)),
        ),
        AddIndexConcurrently(
            'job',
            models.Index(fields=['owner'], name='jobs_unfinished_of', condition=Q(due_at__isnull=False)),
        ),
        AddIndexConcurrently(
            'job',
            models.Index(
                fields=['finished_at'],
                name='jobs_input_kept',
                condition=Q(finished_at__isnull=False, input__isnull=False),
            ),
        ),
    ]
