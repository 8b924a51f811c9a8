"""Indexes of the heads of lines, and of lines, made while others write.

They take the place of events_delivery_turn and events_delivery_order; the version before works without those, slower.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('events', '0007_lines'),
    ]

    operations = [
        AddIndexConcurrently(
            'delivery',
            models.Index(
                fields=['waits', 'bulk', 'due_at', 'id'],
                name='events_delivery_heads',
                condition=Q(due_at__isnull=False, behind=False),
            ),
        ),
        AddIndexConcurrently(
            'delivery',
            models.Index(
                F('receiver'),
                F('aggregate'),
                F('id') + 0,
                name='events_delivery_line',
                condition=Q(due_at__isnull=False),
            ),
        ),
        RemoveIndexConcurrently('delivery', 'events_delivery_turn'),
        RemoveIndexConcurrently('delivery', 'events_delivery_order'),
    ]
