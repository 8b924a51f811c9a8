from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    # writes go on while the indexes are built
    atomic = False

    dependencies = [
        ('core', '0002_kept_answers_and_admin_notes'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='idempotentanswer',
            index=models.Index(condition=Q(('caller_id__isnull', False)), fields=['caller_id'], name='core_answer_caller'),
        ),
        AddIndexConcurrently(
            model_name='idempotentanswer',
            index=models.Index(condition=Q(('subject_id__isnull', False)), fields=['subject_id'], name='core_answer_subject'),
        ),
    ]
