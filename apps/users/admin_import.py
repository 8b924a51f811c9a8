"""The admin's page that takes a file of users and starts the same job as POST /users/import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from apps.core.backoffice.links import page_of
from apps.core.backoffice.log import ADDITION, note
from apps.core.bus import bus
from apps.core.errors import DomainError, TooMany
from apps.jobs.commands import SubmitJob
from apps.users.api.import_view import LIMIT_BYTES
from apps.users.import_lines import CSV_TYPE, NDJSON_TYPE, NotImportable, is_binary, read_lines

# what a form adds around its file
FORM_BYTES = 64 * 1024
BY_NAME = "by its name"
SUFFIXES = {".csv": CSV_TYPE, ".ndjson": NDJSON_TYPE, ".jsonl": NDJSON_TYPE}
TOO_LARGE = f"The file is larger than {LIMIT_BYTES // 2**20} MB. Split it: every part needs the first line."


class ImportForm(forms.Form):
    """A file of users, checked up to its first line."""

    file = forms.FileField(
        label="File",
        widget=forms.FileInput(attrs={"accept": ",".join(SUFFIXES)}),
        error_messages={
            "required": "Choose a file.",
            "empty": "The file is empty.",
            "invalid": "No file came with the form.",
        },
    )
    kind = forms.ChoiceField(
        label="Format", choices=[("", BY_NAME), (CSV_TYPE, "CSV"), (NDJSON_TYPE, "NDJSON")], required=False
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        file = given.get("file")
        if file is None:
            return given
        given["kind"] = given.get("kind") or SUFFIXES.get(Path(file.name).suffix.lower(), "")
        if not given["kind"]:
            self.add_error("kind", f"{file.name} ends neither in .csv nor in .ndjson; say which it is.")
        elif problem := problem_of(file, given["kind"]):
            self.add_error("file", problem)
        return given


def problem_of(file: TemporaryUploadedFile, kind: str) -> str:
    """Why the file cannot be imported, as far as its beginning tells; empty if nothing is wrong."""
    if (file.size or 0) > LIMIT_BYTES:
        return TOO_LARGE
    with Path(file.temporary_file_path()).open("rb") as stream:
        if is_binary(stream.read(1000)):
            return "The file is not text; a spreadsheet has to be saved as CSV first."
        stream.seek(0)
        try:
            first = next(read_lines(stream, kind), None)
        except NotImportable as error:
            return str(error)
    if first is None:
        return "The file has no lines to import."
    if kind == NDJSON_TYPE and first.problem and first.problem.code == "malformed":
        return f"Line {first.number}: {first.problem.detail}"
    return ""


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    """Send the file to the disk, before anything reads the form; `_upload` then checks CSRF and does the rest."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > LIMIT_BYTES + FORM_BYTES:
        return _page(request, ImportForm(), TOO_LARGE, status=413)
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    return _upload(request)


# it reads nothing before it knows who asks, and how long the body is
upload.body_limit = LIMIT_BYTES + FORM_BYTES  # type: ignore[attr-defined] # for RequestBodyMiddleware


@csrf_protect
def _upload(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, ImportForm())
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    file, kind = form.cleaned_data["file"], form.cleaned_data["kind"]
    try:
        job_id = bus.execute(SubmitJob("import_users", request.user.pk, {"kind": kind}, upload=file))
    except DomainError as error:
        return _page(request, form, str(error), status=429 if isinstance(error, TooMany) else 409)
    said = f"from {file.name}, {filesizeformat(file.size)}"
    note(request, ADDITION, said, str(job_id), f"import_users {job_id}", "jobs.job")
    messages.success(request, f"The import of {file.name} has begun.")
    return redirect(page_of("jobs.job", job_id))


def _page(request: HttpRequest, form: ImportForm, problem: str = "", status: int = 200) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": "Import users", "form": form, "problem": problem}
    return TemplateResponse(request, "users/import.html", context, status=status)
