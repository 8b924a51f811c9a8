"""Lines of a file that are not taken: each with its number and the reason, and all of them as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import NamedTuple

HEADER = b"line,code,detail\r\n"
# what a spreadsheet takes for the start of a formula, https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Refusal(NamedTuple):
    """A line of the file, a stable code, and words for people."""

    line: int
    code: str
    detail: str


def as_csv(refusals: Iterable[Refusal]) -> bytes:
    """The refusals as CSV (RFC 4180) without a header; a spreadsheet takes no value for a formula."""
    text = io.StringIO()
    csv.writer(text).writerows((line, _harmless(code), _harmless(detail)) for line, code, detail in refusals)
    return text.getvalue().encode()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
