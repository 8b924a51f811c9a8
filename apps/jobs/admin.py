"""Jobs in the admin: to look at, to cancel, to run again."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.admin import HistoryAdmin
from apps.core.bus import bus
from apps.core.errors import DomainError
from apps.jobs.commands import CancelJob, RetryJob
from apps.jobs.models import Job


@admin.register(Job)
class JobAdmin(HistoryAdmin[Job]):
    """Jobs."""

    list_display = ("id", "kind", "status", "owner", "done", "total", "attempts", "created_at", "finished_at", "error")
    list_filter = ("status", "kind")
    search_fields = ("=id", "owner__email", "=request_id")
    ordering = ("-created_at",)
    date_hierarchy = "created_at"
    list_select_related: ClassVar = ["owner"]
    exclude = ("input", "checkpoint", "token")
    actions = ("cancel", "run_again")

    @admin.action(description="Cancel the selected jobs")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Run CancelJob for each."""
        self._each(request, queryset, CancelJob, "cancelled")

    @admin.action(description="Run the selected jobs again")
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Run RetryJob for each."""
        self._each(request, queryset, RetryJob, "run again")

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Job], command: type[CancelJob] | type[RetryJob], done: str
    ) -> None:
        for job in queryset:
            try:
                bus.execute(command(job.pk))
            except DomainError as error:
                self.message_user(request, f"{job}: {error}", messages.ERROR)
            else:
                self.log_change(request, job, done)
                self.message_user(request, f"{job}: {done}.")
