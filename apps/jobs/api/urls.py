"""Routes of jobs, under every version."""

from django.urls import path

from apps.jobs.api.views import Process, TaskDetail, TaskErrors

urlpatterns = [
    path("process", Process.as_view(), name="process"),
    path("tasks/<any_case_uuid:task_id>", TaskDetail.as_view(), name="task"),
    path("tasks/<any_case_uuid:task_id>/errors", TaskErrors.as_view(), name="task-errors"),
]
