"""Reading files to import: whatever they hold, a line is bounded, numbered, and judged by itself."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from apps.users.import_lines import CSV_TYPE, LONGEST, NDJSON_TYPE, Line, NotImportable, read_lines


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
    assert good(lines) == [(3, "a@x.de", "A"), (5, " ", "  "), (6, "b@x.de", "B")]


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
