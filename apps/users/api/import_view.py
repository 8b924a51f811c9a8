"""POST /users/import."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import IO, Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from apps.core.api.views import IsStaff, StreamView, caller
from apps.jobs.api.serializers import TaskAccepted
from apps.jobs.api.views import accepted
from apps.jobs.commands import SubmitJob
from apps.users.imports import CSV_TYPE, NDJSON_TYPE

LIMIT_BYTES = 50 * 1024 * 1024

NDJSON_EXAMPLE = '{"email": "ada@example.com", "name": "Ada"}\n'


def text_like(example: str) -> dict[str, Any]:
    """The schema of a file: some text that is not blank and has no NUL."""
    return {"type": "string", "pattern": r"^[^\u0000]*[^\u0000\u0009-\u000d\u0020][^\u0000]*$", "example": example}


class CsvParser(BaseParser):
    """Leaves the body where it is, to be read piece by piece."""

    media_type = CSV_TYPE

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return stream


class NdjsonParser(CsvParser):
    """The same for NDJSON."""

    media_type = NDJSON_TYPE


class UserImport(StreamView):
    """Many users at once, as a background job."""

    permission_classes = (IsStaff,)
    parser_classes = (CsvParser, NdjsonParser)
    body_limit = LIMIT_BYTES
    problems: ClassVar = {"post": (403,)}
    answers: ClassVar = {"post": lambda version: {202: TaskAccepted}}
    sends: ClassVar = {"post": ("Location",)}

    @extend_schema(
        request={CSV_TYPE: text_like("email,name\nada@example.com,Ada\n"), NDJSON_TYPE: text_like(NDJSON_EXAMPLE)},
        operation_id="users_import",
    )
    def post(self, request: Request) -> HttpResponse:
        """Import users from CSV (header `email,name`) or NDJSON of up to 50 MB."""
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        _ = request.data  # refuses other media types
        upload = self.pieces(request)
        first = next(upload, b"")
        if not first.strip():
            raise exceptions.ParseError("The file is empty.")
        if b"\0" in first[:1000] and not first.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise exceptions.ParseError("The file is not text.")

        command = SubmitJob("import_users", caller(request).id, {"kind": kind}, upload=chain([first], upload))
        return accepted(request, command, self)
