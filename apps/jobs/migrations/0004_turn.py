from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0003_refused_lines'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='turn',
            field=models.DateTimeField(db_default=Now(), editable=False),
        ),
        migrations.AlterField(
            model_name='job',
            name='input',
            field=models.JSONField(default=dict, null=True),
        ),
    ]
