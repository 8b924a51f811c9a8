"""Indexes that keep people's webhooks apart from bulk, made while others write.

They take the place of webhooks_due and webhooks_endpoint_due; the version before works without those, slower.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('webhooks', '0004_bulk'),
    ]

    operations = [
        AddIndexConcurrently(
            'webhookdelivery',
            models.Index(fields=['bulk', 'due_at', 'id'], name='webhooks_turn', condition=Q(due_at__isnull=False)),
        ),
        AddIndexConcurrently(
            'webhookdelivery',
            models.Index(
                fields=['endpoint', 'bulk', 'due_at', 'id'],
                name='webhooks_endpoint_turn',
                condition=Q(due_at__isnull=False),
            ),
        ),
        RemoveIndexConcurrently('webhookdelivery', 'webhooks_due'),
        RemoveIndexConcurrently('webhookdelivery', 'webhooks_endpoint_due'),
    ]
