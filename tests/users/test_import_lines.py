"""Reading files to import: whatever they hold, each line is bounded, numbered, and checked by itself."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from apps.users.import_lines import CHARSETS, CSV_TYPE, LONGEST, NDJSON_TYPE, Line, NotImportable, read_lines


def read(body: bytes, kind: str = CSV_TYPE) -> list[Line]:
    """The lines of a whole file."""
    return list(read_lines(io.BufferedReader(io.BytesIO(body)), kind))


def good(lines: list[Line]) -> list[tuple[int, str, str]]:
    """Number, e-mail and name of the lines without a problem."""
    return [line[:3] for line in lines if line.problem is None]


def bad(lines: list[Line]) -> list[int]:
    """The numbers of the others."""
    return [line.number for line in lines if line.problem]


class Endless(io.RawIOBase):
    """A file of `pieces`, made while it is read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_every_line_end_and_empty_lines(end: str) -> None:
    lines = read(end.join(["email,name", "", "a@x.de,A", "", " ,  ", "b@x.de,B", ""]).encode())
    assert good(lines) == [(3, "a@x.de", "A"), (6, "b@x.de", "B")]


BLANK_ROWS = [",", "  ,  ", '"",""', ";;", "\t,\t", ",,,", '" "', " ; ", "\u00a0,"]


@pytest.mark.parametrize("blank", BLANK_ROWS)
def test_a_row_that_shows_nothing_is_no_line(blank: str) -> None:
    body = f"{blank}\n{blank}\nemail,name\na@x.de,A\n{blank}\n,B\n{blank}\n"
    lines = read(body.encode())
    assert (good(lines), bad(lines)) == ([(4, "a@x.de", "A"), (6, "", "B")], [])


def test_a_thousand_blank_rows_stand_before_the_header_and_hide_no_mistake() -> None:
    lines = read(b",\n" * 1000 + b"email,name\n" + b",\n" * 1000 + b"one-value-only\n")
    assert (good(lines), bad(lines)) == ([], [2002])


SPREADSHEETS = {
    "Excel's note of its separator": "sep=,\r\nemail,name\r\na@x.de,A\r\n",
    "empty columns at the end": "email,name,,\na@x.de,A,,\n",
    "empty columns that the header lacks": "email,name\na@x.de,A,,\n",
    "empty columns that only the header has": "email,name,,\na@x.de,A\n",
    "blanks around quotes": '"email", "name"\n"a@x.de", "A"\n',
    "other letters and columns": "Id, NAME ,E-Mail,EMAIL\n7,A,x,a@x.de\n",
    "blanks around values": " email , name \na@x.de,A\n",
}


@pytest.mark.parametrize("text", SPREADSHEETS.values(), ids=SPREADSHEETS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_write(text: str, encoding: str) -> None:
    (line,) = read(text.encode(encoding))
    assert (line.email, line.name, line.problem) == ("a@x.de", "A", None)


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_separator_that_excel_notes_is_named_too(mark: str, name: str) -> None:
    with pytest.raises(NotImportable, match=f"by commas, not {name}"):
        read(f"sep={mark}\nemail{mark}name\na@x.de{mark}A\n".encode())


@pytest.mark.parametrize("charset", CHARSETS)
def test_every_charset_is_read_and_what_is_none_of_its_text_is_named(charset: str) -> None:
    name = "Ada" if charset == "us-ascii" else "Zoë"
    body = f"email,name\na@x.de,{name}\n".encode(charset)
    assert good(list(read_lines(io.BufferedReader(io.BytesIO(body)), CSV_TYPE, charset))) == [(2, "a@x.de", name)]


def test_a_byte_order_mark_is_believed_before_the_charset() -> None:
    body = "email,name\na@x.de,Zoë\n".encode("utf-8-sig")
    assert good(list(read_lines(io.BufferedReader(io.BytesIO(body)), CSV_TYPE, "cp1252"))) == [(2, "a@x.de", "Zoë")]


@pytest.mark.parametrize(("charset", "wrong"), [("cp1252", b"\x81"), ("us-ascii", b"\xe9")])
def test_a_byte_that_is_none_of_the_charset_is_named_with_its_line(charset: str, wrong: bytes) -> None:
    with pytest.raises(NotImportable, match=f"Line 3 is not text in {charset.upper()}"):
        list(read_lines(io.BytesIO(b"email,name\na@x.de,A\nb@x.de,B" + wrong + b"\n"), CSV_TYPE, charset))


def test_quotes_with_line_breaks_and_commas() -> None:
    body = b'"email","name"\r\n"a@x.de","Line\r\nbreak, and ""quotes"""\r\nb@x.de,B\r\n'
    assert good(read(body)) == [(2, "a@x.de", 'Line\r\nbreak, and "quotes"'), (4, "b@x.de", "B")]


def test_columns_in_another_order_among_others() -> None:
    assert good(read(b"id,Name , EMAIL,x\n7,A,a@x.de,-\n")) == [(2, "a@x.de", "A")]


def test_a_stray_quote_costs_its_own_line_only() -> None:
    body = b'email,name\n"a@x.de,A\n' + b"".join(b"u%d@x.de,U\n" % i for i in range(300))
    lines = read(body)
    assert bad(lines) == [2]
    assert good(lines) == [(3 + i, f"u{i}@x.de", "U") for i in range(300)]


def test_a_stray_quote_at_the_end_costs_its_own_line_only() -> None:
    lines = read(b'email,name\n"a@x.de,A\nb@x.de,B\nc@x.de,"C\n')
    assert (good(lines), bad(lines)) == ([(3, "b@x.de", "B")], [2, 4])


@pytest.mark.parametrize("kind", [CSV_TYPE, NDJSON_TYPE])
def test_a_line_of_fifty_megabytes_is_refused_in_bounded_memory(kind: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"email,name\na@x.de," if kind == CSV_TYPE else b'{"email": "'
        for _ in range(50):
            yield b"x" * 1024 * 1024
        yield b"\nb@x.de,B\n" if kind == CSV_TYPE else b'\n{"email": "b@x.de", "name": "B"}\n'

    tracemalloc.start()
    lines = list(read_lines(io.BufferedReader(Endless(pieces())), kind))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [line.email for line in lines if not line.problem] == ["b@x.de"]
    assert peak < 8 * 1024 * 1024


def test_a_header_of_fifty_megabytes_is_refused_too() -> None:
    with pytest.raises(NotImportable, match="header email,name"):
        read(b"x" * (LONGEST * 3))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_another_encoding_is_named_with_its_line(encoding: str) -> None:
    body = "email,name\n" + "a@x.de,A\n" * 3000 + "b@x.de,Bärbel\n"
    with pytest.raises(NotImportable, match=r"Line 3002 is not text in UTF-8: save the file as UTF-8"):
        read(body.encode(encoding))


def test_utf_16_that_breaks_off_is_named() -> None:
    with pytest.raises(NotImportable, match="UTF-16"):
        read("email,name\na@x.de,A\n".encode("utf-16") + b"\0")


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(mark: str, name: str) -> None:
    with pytest.raises(NotImportable, match=f"by commas, not {name}"):
        read(f"email{mark}name\na@x.de{mark}A\n".encode())


def test_nul_stays_in_its_line() -> None:
    assert good(read(b"email,name\na\0@x.de,A\nb@x.de,B\n"))[1] == (3, "b@x.de", "B")
    lines = read(b'{"email": "a@x.de", "name": "A\0"}\n{"email": "b@x.de", "name": "B"}\n', NDJSON_TYPE)
    assert (bad(lines), good(lines)) == ([1], [(2, "b@x.de", "B")])


def test_deep_and_odd_json_stays_in_its_line() -> None:
    body = b"[" * 5000 + b'\n{"email": "a@x.de", "name": "\\ud800"}\n7\nnull\n{"email": "b@x.de", "name": "B"}\n'
    lines = read(body, NDJSON_TYPE)
    assert (bad(lines), good(lines)) == ([1, 2, 3, 4], [(5, "b@x.de", "B")])


def test_a_column_or_a_member_that_stands_twice() -> None:
    with pytest.raises(NotImportable, match="must be the header email,name"):
        read(b"email,email,name\na@x.de,b@x.de,A\n")
    lines = read(b'{"email":"a@x.de","email":"b@x.de","name":"A"}\n{"email":"c@x.de","name":"C"}\n', NDJSON_TYPE)
    assert (bad(lines), good(lines)) == ([1], [(2, "c@x.de", "C")])
