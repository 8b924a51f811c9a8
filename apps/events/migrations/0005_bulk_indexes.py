"""Indexes that keep people's work apart from bulk, made while others write.

They take the place of events_unsequenced and events_delivery_due; the version before works without those, slower.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('events', '0004_bulk'),
    ]

    operations = [
        AddIndexConcurrently(
            'outboxevent',
            models.Index(F('bulk'), F('id') + 0, name='events_untaken', condition=Q(position__isnull=True)),
        ),
        AddIndexConcurrently(
            'outboxevent',
            models.Index(
                fields=['aggregate', 'id'],
                name='events_bulk_order',
                condition=Q(position__isnull=True, bulk=True),
            ),
        ),
        AddIndexConcurrently(
            'delivery',
            models.Index(
                fields=['waits', 'bulk', 'due_at', 'id'],
                name='events_delivery_turn',
                condition=Q(due_at__isnull=False),
            ),
        ),
        RemoveIndexConcurrently('outboxevent', 'events_unsequenced'),
        RemoveIndexConcurrently('delivery', 'events_delivery_due'),
    ]
