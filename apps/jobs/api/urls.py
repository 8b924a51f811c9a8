"""Routes of jobs, under every version."""

from django.urls import path, register_converter

from apps.core.api.converters import Uuid
from apps.jobs.api.views import Process, TaskDetail, TaskErrors

register_converter(Uuid, "any_case_uuid")

urlpatterns = [
    path("process", Process.as_view(), name="process"),
    path("tasks/<any_case_uuid:task_id>", TaskDetail.as_view(), name="task"),
    path("tasks/<any_case_uuid:task_id>/errors", TaskErrors.as_view(), name="task-errors"),
]
