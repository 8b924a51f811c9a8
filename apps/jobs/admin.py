"""Jobs in the admin: people look at them, cancel them, run them again."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from apps.core.backoffice.actions import CommandAction
from apps.core.backoffice.display import NOTHING, pretty, shortened, table
from apps.core.backoffice.links import Link, anchor, is_aggregate, list_of, page_of, related
from apps.core.backoffice.lists import by
from apps.core.backoffice.site import HistoryAdmin
from apps.core.bus import bus
from apps.core.errors import NotFound
from apps.jobs import overview  # noqa: F401 - registers the panel
from apps.jobs.api.views import as_download
from apps.jobs.commands import CancelJob, RetryJob
from apps.jobs.models import FINISHED, Job, Status
from apps.jobs.queries import ListKinds, ReadRefusedLines

LISTED_ERRORS = 200
REFRESH_SECONDS = 2


def described(job: Job) -> str:
    """A job in words that tell it from others."""
    return f"{job.kind} {job.pk}, {job.status}, {job.done:,} done, of {job.owner or 'nobody'}"


CANCEL = CommandAction[Job](
    "cancel",
    "Cancel",
    "Each job stops at once. What it has done so far stays; it can be run again from there.",
    "cancelled",
    lambda job, request: CancelJob(job.pk),
    lambda job: job.status not in FINISHED,
    describe=described,
)
RUN_AGAIN = CommandAction[Job](
    "run_again",
    "Run again",
    "Each job runs again, from where it stopped. Only failed and cancelled ones can.",
    "will run again",
    lambda job, request: RetryJob(job.pk),
    lambda job: job.status in (Status.FAILURE, Status.REVOKED),
    describe=described,
)


@admin.register(Job)
class JobAdmin(HistoryAdmin[Job]):
    """Jobs."""

    list_display = ("id", "kind", "status", "its_owner", "progress", "attempts", "created_at", "finished_at", "problem")
    list_filter = (
        "status",
        by("kind", "kind", lambda: bus.ask(ListKinds())),
        by("owner", "owner"),
        by("request", "request_id"),
    )
    search_fields = ("id__exact",)
    search_help_text = "A job's id, or its owner's e-mail: the whole of it."
    ordering = ("-created_at",)
    sortable_by = ("created_at", "finished_at")
    date_hierarchy = "created_at"
    list_select_related: ClassVar = ["owner"]
    unlisted: ClassVar = ("input", "checkpoint", "result")
    actions = (CANCEL, RUN_AGAIN)
    fields = (
        "id", "kind", "status", "progress", "error", "outcome", "first_refusals", "its_owner", "attempts", "last_error",
        "created_at", "started_at", "finished_at", "due_at", "request_id",
    )  # fmt: skip
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        """Add the download of all that a job refused to Django's own."""
        page = self.admin_site.admin_view(all_refusals)
        return [path("<uuid:job_id>/refused-lines.csv", page, name="jobs_job_refusals"), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Search by id or by the owner, each through an index; both at once would read the whole table."""
        term = search_term.strip()
        if "@" in term:
            owners = get_user_model().objects.with_email(term)
            return queryset.filter(owner_id__in=owners.values("pk")), False
        return (queryset.filter(id=term) if term else queryset), False

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Let the page of a job that has not ended reload itself."""
        job = kwargs.get("obj")
        if job is not None and job.status not in FINISHED:
            context["refresh_seconds"] = REFRESH_SECONDS
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="error")
    def problem(self, job: Job) -> str:
        return shortened(job.error)

    @admin.display(description="owner")
    def its_owner(self, job: Job) -> object:
        return anchor(job.owner, page_of("users.user", job.owner_id)) if job.owner_id else NOTHING

    @admin.display(description="progress")
    def progress(self, job: Job) -> SafeString | str:
        if job.total:
            bar = format_html('<progress max="{}" value="{}"></progress>', job.total, job.done)
            return format_html('<span class="progress">{} {} of {}</span>', bar, f"{job.done:,}", f"{job.total:,}")
        return f"{job.done:,}"

    @admin.display(description="result")
    def outcome(self, job: Job) -> object:
        if job.private:
            return "Only the owner may see it."
        if not isinstance(job.result, dict):
            return pretty(job.result)
        return pretty({name: value for name, value in job.result.items() if name != "errors"})

    @admin.display(description="refused lines")
    def first_refusals(self, job: Job) -> object:
        """The lines that an import refused: from its result, or while it runs, from its last report."""
        known = job.result or job.checkpoint
        if not isinstance(known, dict) or not known.get("errors"):
            return NOTHING
        errors = known["errors"]
        listed = errors[:LISTED_ERRORS]
        rows = [(one.get("line"), one.get("code"), one.get("detail")) for one in listed]
        rejected = max(known.get("rejected") or 0, len(errors))
        more = f"The first {len(listed):,} of {rejected:,}. " if rejected > len(listed) else ""
        whole = anchor("All of them as CSV", reverse("admin:jobs_job_refusals", args=[job.pk]))
        return format_html("{}{}{}", table(("line", "code", "what is wrong"), rows), more, whole)


@require_safe
def all_refusals(request: HttpRequest, job_id: uuid.UUID) -> StreamingHttpResponse:
    """Every line that the job refused, as GET /tasks/{id}/errors gives it."""
    try:
        pieces = bus.ask(ReadRefusedLines(job_id))
    except NotFound as error:
        raise Http404(str(error)) from None
    return as_download(job_id, pieces if request.method != "HEAD" else ())


is_aggregate("job", "jobs.job")


@related("jobs.job")
def of_job(job: Job) -> Iterable[Link]:
    """Link a job to its events and its owner's other jobs."""
    yield Link("Events about it", list_of("events.outboxevent", aggregate=f"job:{job.pk}"))
    if job.request_id:
        yield Link("Events it caused", list_of("events.outboxevent", request_id=job.request_id))
    if job.owner_id:
        yield Link("Jobs of the same owner", list_of("jobs.job", owner=job.owner_id))


@related("users.user")
def of_user(user: Any) -> Iterable[Link]:
    """Link a user to the jobs they asked for."""
    yield Link("Jobs", list_of("jobs.job", owner=user.pk))


@related("events.outboxevent")
def of_event(event: Any) -> Iterable[Link]:
    """Link an event to the jobs of its request."""
    if event.request_id:
        yield Link("Jobs of the same request", list_of("jobs.job", request_id=event.request_id))
