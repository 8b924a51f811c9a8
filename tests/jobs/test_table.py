"""Reading the table of POST /process: as strict as any body, however it is cut, and in bounded memory."""

from __future__ import annotations

import io
import random
import tracemalloc
from typing import Any

import orjson
import pytest

from apps.core.errors import Invalid
from apps.jobs import json_text
from apps.jobs.json_text import LONGEST_VALUE
from apps.jobs.table import NotJson, read_table


def read(body: bytes) -> list[dict[str, Any]]:
    """All rows."""
    return [row for rows in read_table(io.BytesIO(body)) for row in rows]


def problems(body: bytes) -> list[tuple[str, str]]:
    """Pointer and code of each thing wrong."""
    with pytest.raises(Invalid) as refused:
        read(body)
    return [(problem.pointer, problem.code) for problem in refused.value.problems]


def around(*rows: bytes) -> bytes:
    """A table of raw rows."""
    return b'{"rows":[' + b",".join(rows) + b"]}"


def random_value(depth: int = 0) -> Any:
    """Any JSON, brackets, quotes and backslashes in its texts."""
    kind = random.randrange(5 if depth > 3 else 7)
    if kind < 3:
        return [None, random.randint(-(2**63), 2**64 - 1), random.random()][kind]
    if kind < 5:
        return "".join(random.choices('}{][",:\\ax\n\u00e9\U0001f600', k=random.randrange(9)))
    size = random.randrange(4)
    if kind == 5:
        return [random_value(depth + 1) for _ in range(size)]
    return {f"{n}}}": random_value(depth + 1) for n in range(size)}


@pytest.mark.parametrize("window", [1, 7, 64, 16 * 1024])
@pytest.mark.parametrize("dump", [orjson.dumps, lambda table: orjson.dumps(table, option=orjson.OPT_INDENT_2)])
def test_it_is_what_orjson_reads_of_the_whole(window: int, dump: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "WINDOW", window)
    for _ in range(20):
        rows = [{"a": random_value(), "b}": random_value()} for _ in range(random.randrange(12))]
        assert read(dump({"rows": rows})) == rows


@pytest.mark.parametrize(
    "body",
    [b'{"rows":[]}', b' { "rows" : [ ] } ', b'\r\n{"\\u0072ows":[\t]}'],
)
def test_an_empty_table(body: bytes) -> None:
    assert read(body) == []


MALFORMED = {
    "empty": b"",
    "no object": b"[1]",
    "a text": b'"rows"',
    "NaN": around(b'{"a":NaN}'),
    "infinity": around(b'{"a":1e400}'),
    "huge integer": around(b'{"a":' + b"9" * 5000 + b"}"),
    "leading zero": around(b'{"a":01}'),
    "lone surrogate": around(b'{"a":"\\ud800"}'),
    "no UTF-8": around(b'{"a":"\xff"}'),
    "surrogate in UTF-8": around(b'{"a":"\xed\xa0\x80"}'),
    "byte order mark": b"\xef\xbb\xbf" + around(),
    "control character": around(b'{"a":"\t"}'),
    "NUL": around(b'{"a":"\\u0000"}'),
    "NUL behind a backslash": around(b'{"a":"\\\\\\u0000"}'),
    "comment": around(b'{"a":/*x*/1}'),
    "comma too many": b'{"rows":[{"a":1},]}',
    "comma first": b'{"rows":[,{"a":1}]}',
    "comma missing": b'{"rows":[{"a":1}{"a":1}]}',
    "another list behind": b'{"rows":[{"a":1}],[{"a":1}]}',
    "list closed twice": b'{"rows":[{"a":1}],{"a":1}]}',
    "single quotes": b"{'rows':[]}",
    "no colon": b'{"rows" []}',
    "name without quotes": b"{rows:[]}",
    "something behind": around() + b"x",
    "a second object": around() + around(),
    "broken off in a row": b'{"rows":[{"a":1},{"a":',
    "broken off in a text": b'{"rows":[{"a":"',
    "broken off behind a row": b'{"rows":[{"a":1}',
    "broken off behind the list": b'{"rows":[{"a":1}]',
    "too deep": around(b'{"a":' + b"[" * 98 + b"]" * 98 + b"}"),
    "far too deep": around(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "open without end": b'{"rows":' + b"[" * 100_000,
    "row too long": around(b'{"a":"' + b"x" * (2 * LONGEST_VALUE) + b'"}'),
}


@pytest.mark.parametrize("window", [5, 16 * 1024])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_strict_json_is_refused(body: bytes, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "WINDOW", window)
    with pytest.raises(NotJson):
        read(body)


def test_what_is_wrong_is_said_with_its_place() -> None:
    rows = [b'{"a":1}'] * 10_000
    with pytest.raises(NotJson, match=r"unexpected character.*, at character 80014\."):
        read(around(*rows, b'{"a":NaN}'))
    with pytest.raises(NotJson, match="up to 262,144 characters; the one at 80009 has more"):
        read(around(*rows, b'{"a":"' + b"x" * (2 * LONGEST_VALUE) + b'"}'))


def test_every_problem_is_named_with_its_pointer_up_to_ten() -> None:
    body = b'{"x":[{"a":1}],"rows":[{"a":1},7,{"b":{"c/d":1,"c/d":2}},null],"rows":[{}],"y":0}'
    assert problems(body) == [
        ("/x", "unknown"),
        ("/rows/2/b/c~1d", "duplicate_name"),
        ("/rows/1", "not_an_object"),
        ("/rows/3", "not_an_object"),
        ("/rows", "duplicate_name"),
        ("/y", "unknown"),
    ]
    assert problems(around(*[b"1"] * 5000)) == [(f"/rows/{number}", "not_an_object") for number in range(10)]
    assert problems(around(*[b"{}"] * 9000, b'{"a:":1,"a\\u003a":2}')) == [("/rows/9000/a:", "duplicate_name")]


@pytest.mark.parametrize("body", [b"{}", b'{"rows":{}}', b'{"rows":null}', b'{"rows":"[]"}'])
def test_rows_are_a_list(body: bytes) -> None:
    assert problems(body) == [("/rows", "required")]


def test_a_backslash_before_u0000_and_ninety_seven_levels_are_fine() -> None:
    deep = b'{"a":' + b"[" * 97 + b"]" * 97 + b"}"
    assert len(read(around(b'{"a":"\\\\u0000"}', deep, *[b'{"a":[{}]}'] * 9000))) == 9002


WORST = {
    "numbers": b'{"a":1}',
    "lists": b'{"a":[[]]}',
    "empty": b"{}",
    "long rows": b'{"a":[' + b",".join([b"[]"] * 80_000) + b"]}",
    "long rows of objects": b'{"a":[' + b",".join([b"{}"] * 80_000) + b"]}",
}


@pytest.mark.parametrize("row", WORST.values(), ids=WORST)
def test_it_takes_a_few_megabytes_however_long_the_table_is(row: bytes) -> None:
    body = io.BytesIO(around(*[row] * (2 * 1024 * 1024 // len(row))))
    tracemalloc.start()
    count = sum(map(len, read_table(body)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2 * 1024 * 1024 // len(row)
    assert peak < 40 * 1024 * 1024
