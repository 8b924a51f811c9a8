"""POST /users/import."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from apps.core.api.components import documented
from apps.core.api.views import IsStaff, StreamView, caller, run_once
from apps.core.http.refusals import MalformedBody
from apps.jobs.api.kinds import FileParser, TaskAccepted, accepted
from apps.jobs.commands import SubmitJob
from apps.users.import_lines import CHARSETS, CSV_TYPE, NDJSON_TYPE, is_binary

LIMIT_BYTES = 50 * 1024 * 1024
START_BYTES = 1024 * 1024

NDJSON_EXAMPLE = '{"email": "ada@example.com", "name": "Ada"}\n'


def text_like(example: str) -> dict[str, Any]:
    """The schema of a file: some text that is not blank and has no NUL; `binary` makes clients send it unchanged."""
    pattern = r"^[^\u0000]*[^\u0000\u0009-\u000d\u0020][^\u0000]*$"
    return {"type": "string", "format": "binary", "pattern": pattern, "example": example}


class CsvParser(FileParser):
    """CSV as spreadsheets write it."""

    media_type = CSV_TYPE
    charsets: ClassVar = CHARSETS


class NdjsonParser(FileParser):
    """NDJSON; each line is JSON, which is UTF-8 and nothing else (RFC 8259, section 8.1)."""

    media_type = NDJSON_TYPE
    charsets: ClassVar = ("utf-8", "us-ascii")


class UserImport(StreamView):
    """Many users at once, as a background job."""

    permission_classes = (IsStaff,)
    parser_classes = (CsvParser, NdjsonParser)
    body_limit = LIMIT_BYTES
    problems: ClassVar = {"post": (403,)}
    answers: ClassVar = {"post": lambda version: {202: TaskAccepted}}
    sends: ClassVar = {"post": ("Location",)}

    @run_once
    @documented(
        request={CSV_TYPE: text_like("email,name\nada@example.com,Ada\n"), NDJSON_TYPE: text_like(NDJSON_EXAMPLE)},
        operation_id="users_import",
    )
    def post(self, request: Request) -> HttpResponse:
        """Import users from CSV (header `email,name`) or NDJSON of up to 50 MB."""
        _ = request.data  # refuses other media types
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        charset = (NdjsonParser if kind == NDJSON_TYPE else CsvParser)().charset(request)
        upload = self.upload(request)
        start = upload.read(START_BYTES)
        if not start.strip():
            raise MalformedBody("The file is empty.")
        if is_binary(start, charset):
            raise MalformedBody("The file is not text.")
        command = SubmitJob("import_users", caller(request).id, {"kind": kind, "charset": charset}, upload=upload)
        return accepted(request, command, self)
