"""Bodies that no route takes, and values of another type than any member has."""

from __future__ import annotations

from typing import Any

BODIES = {
    "empty": b"",
    "blank": b"  \n ",
    "cut off": b'{"name": "New"',
    "two": b"{} {}",
    "no object": b"[]",
    "null": b"null",
    "a text": b'"name"',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "New"}'.encode("utf-16"),
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "byte order mark": b'\xef\xbb\xbf{"name": "New"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "NUL": b'{"name": "a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "NUL deep inside": b'{"x": [{"y": ["\\u0000"]}]}',
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "comment": b'{"name": "New" /* new */}',
    "trailing comma": b'{"name": "New",}',
    "single quotes": b"{'name': 'New'}",
    "control character": b'{"name": "a\nb"}',
    "too deep": b'{"x":' * 200 + b"1" + b"}" * 200,
    "far too deep": b'{"x":' + b"[" * 7_000 + b"]" * 7_000 + b"}",
}
WRONG: list[Any] = [None, 1, 1.5, True, {}, {"a": 1}, [[]], ["x"], [None]]
