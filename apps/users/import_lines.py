"""The lines of a file to import: CSV (header `email,name`) or NDJSON, read as a stream in bounded memory.

CSV by RFC 4180, so a quoted value may hold line breaks; no line is longer than `LONGEST` characters and no record has
more than `MOST_LINES` lines, whatever the file holds.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

import orjson

from apps.core.api.strict_json import repeated_name
from apps.core.errors import FieldProblem

CSV_TYPE, NDJSON_TYPE = "text/csv", "application/x-ndjson"
HEADER = ("email", "name")
# what a file may be written in, by IANA's names
CHARSETS = (
    "utf-8", "us-ascii", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "iso-8859-15", "windows-1252",
)  # fmt: skip
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
LONGEST = 64 * 1024
MOST_LINES = 100
_SHOWN = re.compile(r"[^\s,;]")


class NotImportable(Exception):
    """The file as a whole cannot be imported; the message says why."""


class Line(NamedTuple):
    """One line of the file: an e-mail and a name, or what is wrong with it."""

    number: int
    email: str = ""
    name: str = ""
    problem: FieldProblem | None = None


class TooLong(Exception):
    """A line, or a record of several lines, is too long to be imported."""


def is_binary(start: bytes, charset: str = "utf-8") -> bool:
    """Whether a file that begins with `start` is not text: it has a NUL, which only UTF-16 may have."""
    return b"\0" in start[:1000] and not start.startswith(UTF_16_MARKS) and not charset.startswith("utf-16")


def read_lines(stream: BinaryIO, kind: str, charset: str = "utf-8") -> Iterator[Line]:
    """The lines of a file of media type `kind`, their values unchanged. Raises NotImportable.

    `charset` is one of CHARSETS, by any of its names; a byte order mark at the beginning overrules it.
    """
    start = stream.peek(4)[:3] if isinstance(stream, io.BufferedReader) else b""
    if start.startswith(UTF_16_MARKS):
        charset = "utf-16"
    elif codecs.lookup(charset).name == "utf-8" or start == codecs.BOM_UTF8:
        charset = "utf-8-sig"
    # bytes that are not text in it become lone surrogates, which show the line that has them
    text = io.TextIOWrapper(stream, encoding=charset, errors="surrogateescape", newline="")
    lines = Lines(text)
    try:
        yield from (_read_ndjson if kind == NDJSON_TYPE else _read_csv)(lines)
    except UnicodeDecodeError:
        raise lines.not_text(lines.number + 1) from None
    finally:
        # the stream is the caller's to close, and may be closed already
        with suppress(ValueError):
            text.detach()


class Lines(Iterator[str]):
    """Lines with their number. Raises TooLong for one past `LONGEST`, and goes on behind it."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._size = 0
        self.number = 0

    def begin(self) -> None:
        """Begin a new record with the next line."""
        self._record.clear()
        self._size = 0

    def back(self) -> None:
        """Go back to the second line of the record: what seemed to belong to the first is read as its own record."""
        self._again.extendleft(reversed(self._record[1:]))
        self.number -= max(0, len(self._record) - 1)

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self.number += 1
        self._record.append(line)
        self._size += len(line)
        if self._size > LONGEST or len(self._record) > MOST_LINES:
            raise TooLong
        return line

    def _read(self) -> str:
        line = self._text.readline(LONGEST + 1)
        if not line:
            raise StopIteration
        if len(line) > LONGEST:
            rest = line
            while rest and rest[-1] not in "\r\n":
                rest = self._text.readline(LONGEST)
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError:
                raise self.not_text(self.number + 1) from None
        return line

    def not_text(self, number: int) -> NotImportable:
        """The error for bytes that the file's charset has no character for."""
        charset = self._text.encoding.removesuffix("-sig").upper()
        return NotImportable(f"Line {number} is not text in {charset}: save the file as UTF-8 and import it again.")


def _malformed(number: int, detail: str) -> Line:
    return Line(number, problem=FieldProblem("", "malformed", detail))


def _read_csv(lines: Lines) -> Iterator[Line]:
    # otherwise a quote after a comma and a blank would be a part of the value
    reader = csv.reader(lines, strict=True, skipinitialspace=True)
    columns, (email, name) = _header(reader, lines)
    while True:
        lines.begin()
        first = lines.number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except TooLong:
            lines.back()
            yield _malformed(first, f"The line is longer than {LONGEST:,} characters, or a quote is not closed.")
            continue
        except csv.Error as error:
            lines.back()
            yield _malformed(first, f"This is not CSV: {error}.")
            continue
        if not any(row) or _is_blank(row):
            continue
        _trim(row, columns)
        if len(row) == columns:
            yield Line(first, row[email], row[name])
        else:
            yield _malformed(first, f"The line has {len(row)} values, the header {columns}.")


def _is_blank(row: list[str]) -> bool:
    """Whether a spreadsheet shows nothing for the row; semicolons count as separators too."""
    return not _SHOWN.search("".join(row))


def _trim(row: list[str], columns: int = 0) -> None:
    """Remove empty values at the end, which spreadsheets write for empty columns, down to `columns`."""
    while len(row) > columns and not row[-1].strip():
        row.pop()


def _first_row(reader: Iterator[list[str]], lines: Lines) -> list[str]:
    """The first row that is not blank, after the one in which Excel notes its separator; [] if there is none."""
    for row in reader:
        lines.begin()
        if not _is_blank(row) and not row[0].lower().startswith("sep="):
            return row
    return []


def _header(reader: Iterator[list[str]], lines: Lines) -> tuple[int, list[int]]:
    """How many columns there are, and where e-mail and name stand. Raises NotImportable."""
    wanted = ",".join(HEADER)
    try:
        header = [name.strip().lower() for name in _first_row(reader, lines)]
    except (csv.Error, TooLong):
        raise NotImportable(f"The first line is not CSV: it must be the header {wanted}.") from None
    _trim(header)
    if all(header.count(name) == 1 for name in HEADER):
        return len(header), [header.index(name) for name in HEADER]
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if any(mark in value for value in header):
            raise NotImportable(
                f"The first line must be the header {wanted}: separate the columns by commas, not {name}."
            )
    raise NotImportable(f"The first line must be the header {wanted}.")


def _read_ndjson(lines: Lines) -> Iterator[Line]:
    while True:
        lines.begin()
        try:
            text = next(lines)
        except StopIteration:
            return
        except TooLong:
            yield _malformed(lines.number, f"The line is longer than {LONGEST:,} characters.")
            continue
        if not text.strip():
            continue
        try:
            data = orjson.loads(text)
            email, name = data["email"], data["name"]
            if twice := repeated_name(text):
                yield _malformed(lines.number, f"{twice} stands more than once in its object.")
                continue
        except (ValueError, TypeError, KeyError):
            email = name = None
        if isinstance(email, str) and isinstance(name, str):
            yield Line(lines.number, email, name)
        else:
            yield _malformed(lines.number, 'The line is no JSON object with the texts "email" and "name".')
