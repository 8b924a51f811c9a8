"""The jobs' routes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request

from apps.core.api.components import documented
from apps.core.api.views import ApiView, StreamView, address, caller, run_once
from apps.core.http.refusals import MalformedBody
from apps.core.http.renderers import json_answer
from apps.jobs.api.parsers import TableParser
from apps.jobs.api.serializers import Table, Task, TaskAccepted
from apps.jobs.commands import CancelJob, SubmitJob
from apps.jobs.queries import GetJob, ReadRefusedLines
from apps.jobs.table import NotJson, read_table

CSV = "text/csv; charset=utf-8"


class Process(StreamView):
    """Column statistics as a background job."""

    parser_classes = (TableParser,)
    answers: ClassVar = {"post": lambda version: {202: TaskAccepted}}
    sends: ClassVar = {"post": ("Location",)}
    body_limit = 10 * 1024 * 1024

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the table before a transaction is open: to read ten megabytes takes a second."""
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            self.rows = self._count_rows(request)

    @run_once
    @documented(request=Table, operation_id="process")
    def post(self, request: Request) -> HttpResponse:
        """Start the statistics of the columns of a table of up to 10 MB, each row up to 262,144 characters."""
        command = SubmitJob("process", caller(request).id, {}, total=self.rows, upload=self.upload(request))
        return accepted(request, command, self)

    def _count_rows(self, request: Request) -> int:
        self.body(request)
        TableParser().charset(request)
        try:
            return sum(map(len, read_table(self.upload(request))))
        except NotJson as error:
            raise MalformedBody(str(error)) from None


class TaskDetail(ApiView):
    """A job, for its owner and for staff; to others there is none."""

    problems: ClassVar = {"delete": (409,)}
    answers: ClassVar = {"get": lambda version: {200: Task}, "delete": lambda version: {202: Task}}
    sends: ClassVar = {"get": ("Cache-Control",)}

    @documented(operation_id="tasks_retrieve")
    def get(self, request: Request, task_id: uuid.UUID) -> HttpResponse:
        """Where the job stands, and its result once there is one."""
        return json_answer(self._job(request, task_id), headers={"Cache-Control": "no-store"})

    @documented(operation_id="tasks_cancel")
    def delete(self, request: Request, task_id: uuid.UUID) -> HttpResponse:
        """Cancel the job."""
        self._job(request, task_id)
        self.bus.execute(CancelJob(task_id))
        return json_answer(self._job(request, task_id), 202)

    def _job(self, request: Request, task_id: uuid.UUID) -> dict[str, Any]:
        return self.bus.ask(GetJob(task_id, caller(request).id, caller(request).is_staff))


class TaskErrors(ApiView):
    """The lines that a job refused, for its owner and for staff."""

    sends: ClassVar = {"get": ("Content-Disposition", "Cache-Control")}

    @documented(operation_id="tasks_errors", responses={(200, CSV): OpenApiTypes.STR})
    def get(self, request: Request, task_id: uuid.UUID) -> StreamingHttpResponse:
        """Every refused line as CSV: line, code, detail. 404 if the job has refused none so far."""
        self.bus.ask(GetJob(task_id, caller(request).id, caller(request).is_staff))
        pieces = self.bus.ask(ReadRefusedLines(task_id))
        return as_download(task_id, pieces if request.method != "HEAD" else ())


def as_download(task_id: uuid.UUID, pieces: Iterable[bytes]) -> StreamingHttpResponse:
    """The refused lines of a job as a file, read from the database while it is sent."""
    headers = {
        "Content-Disposition": f'attachment; filename="errors-{task_id}.csv"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(pieces, content_type=CSV, headers=headers)


def accepted(request: Request, command: SubmitJob, view: ApiView) -> HttpResponse:
    """Submit the job and answer 202 with where to look for it."""
    task_id = view.bus.execute(command)
    headers = {"Location": address(request, "task", task_id)}
    return json_answer({"task_id": str(task_id)}, 202, headers)
