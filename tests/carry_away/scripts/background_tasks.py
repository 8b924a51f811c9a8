"""A job is a row committed with what asked for it; a worker claims it, runs it and keeps its result."""

import os
from datetime import timedelta

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "apps.events", "apps.jobs"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            # tables of its own, whatever else is in this database
            "OPTIONS": {"options": "-c search_path=carried_jobs"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from apps.core.bus import bus
from apps.events.models import Delivery, OutboxEvent
from apps.jobs.commands import RunNextJob, SubmitJob
from apps.jobs.models import Chunk, Job, RefusedLines
from apps.jobs.repositories import JobQueue, Jobs
from apps.jobs.run import Run
from apps.jobs.services import JobService


def double(run: Run) -> dict[str, int]:
    """The work of this kind of job."""
    return {"doubled": run.input["number"] * 2}


service = JobService(Jobs(), JobQueue(), {"double": double}, retention=timedelta(days=1))
bus.register(SubmitJob, service.submit)
bus.register(RunNextJob, service.run_next)

with connection.cursor() as cursor:
    cursor.execute("DROP SCHEMA IF EXISTS carried_jobs CASCADE; CREATE SCHEMA carried_jobs")
try:
    with connection.schema_editor() as editor:
        for model in (ContentType, Permission, Group, User, OutboxEvent, Delivery, Job, Chunk, RefusedLines):
            editor.create_model(model)
    job_id = bus.execute(SubmitJob("double", None, {"number": 21}))
    assert bus.execute(RunNextJob()) is True
    assert bus.execute(RunNextJob()) is False, "nothing else is due"
    job = Job.objects.get(id=job_id)
    assert (job.status, job.result) == ("SUCCESS", {"doubled": 42}), (job.status, job.error)
    assert list(OutboxEvent.objects.values_list("type", flat=True)) == ["job.finished"]
    print("used")
finally:
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA carried_jobs CASCADE")
