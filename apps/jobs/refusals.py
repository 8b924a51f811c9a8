"""The lines of its file that a job refused: kept as ready pieces of CSV beside the job, and pruned with it."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from apps.jobs.models import RefusedLines

COLUMNS = b"line,code,detail\r\n"
# what a spreadsheet takes for the start of a formula, https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Refusal(NamedTuple):
    """A line of the file, a stable code, and words for people."""

    line: int
    code: str
    detail: str


def keep(job_id: uuid.UUID, refusals: Iterable[Refusal]) -> None:
    """Keep `refusals` with the job; call it in the transaction of the work that they belong to."""
    if data := as_csv(refusals):
        RefusedLines.objects.create(job_id=job_id, data=data)


def as_csv(refusals: Iterable[Refusal]) -> bytes:
    """The refusals as CSV (RFC 4180) without a header; no value is a formula to a spreadsheet."""
    text = io.StringIO()
    csv.writer(text).writerows((line, _harmless(code), _harmless(detail)) for line, code, detail in refusals)
    return text.getvalue().encode()


def are_kept(job_id: uuid.UUID) -> bool:
    """Whether the job refused any line so far."""
    return RefusedLines.objects.filter(job_id=job_id).exists()


def csv_pieces(job_id: uuid.UUID) -> Iterator[bytes]:
    """The whole list as CSV with its header, a piece in memory at a time."""
    yield COLUMNS
    last = 0
    rows = RefusedLines.objects.filter(job_id=job_id).order_by("id")
    while row := rows.filter(id__gt=last).values_list("id", "data").first():
        last, data = row
        yield bytes(data)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
