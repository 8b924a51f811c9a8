"""The route for taking along what is kept about oneself."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from apps.core.api.components import documented
from apps.core.api.views import ApiView, caller, run_once
from apps.jobs.api.kinds import TaskAccepted, accepted
from apps.jobs.commands import SubmitJob


class MeExport(ApiView):
    """Everything that is kept about the caller, as a background job; nobody else sees its result, staff neither."""

    answers: ClassVar = {"post": lambda version: {202: TaskAccepted}}
    sends: ClassVar = {"post": ("Location",)}

    @run_once
    @documented(request=None, operation_id="users_me_export")
    def post(self, request: Request) -> HttpResponse:
        """Start the export; its result is kept for a day."""
        self.no_body(request)
        return accepted(request, SubmitJob("export", caller(request).id, {}, private=True), self)
