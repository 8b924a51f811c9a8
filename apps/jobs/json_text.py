"""Strict JSON (RFC 8259, RFC 7493) as a stream: the values of a list that does not fit in memory, some at a time.

A window of the text is handed to orjson, which judges it as it would the whole. Where a window may be cut is guessed,
at the last brace: JSON is read from left to right, so if what stands before the cut is a list of whole values by
itself, it is the same ones in the whole. If the guess is wrong, the brackets are counted.
A streaming parser would not do: ijson 3 over yajl makes a lone surrogate "?" and lets a name stand twice.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import IO, Any, NoReturn, Self

import orjson

from apps.core.api.strict_json import repeated_name
from apps.jobs.run import JobError

# characters
WINDOW = 16 * 1024
LONGEST_VALUE = 256 * 1024
# levels, the object and the list around the values among them
DEEPEST = 100
AROUND = 2
_BLANK = " \t\n\r"
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# a bracket, or a string as far as it is there; possessive, so that each character is looked at once
_TOKEN = re.compile(r'[{}\[\]]|"(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
# one up, one down
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(byte for byte in range(256) if chr(byte) not in "[{]}")
_BARE = re.compile(r'[^][{}",: \t\n\r]+')


class NotJson(JobError):
    """The text is no strict JSON, or has a value that is too large to read; the message says what and where."""


class Text:
    """JSON text, read from its beginning to its end."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._ahead = ""
        self._passed = 0

    @classmethod
    @contextmanager
    def of(cls, stream: IO[bytes]) -> Iterator[Self]:
        """The text in `stream`, which stays open. Raises NotJson if it is not UTF-8."""
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        try:
            yield cls(text)
        except UnicodeDecodeError as error:
            raise NotJson(f"The body is not text in UTF-8: {error.reason}.") from None
        finally:
            # the stream is the caller's to close, and may be closed already
            with suppress(ValueError):
                text.detach()

    def next(self) -> str:
        """The next character that is not blank, which stays where it is; "" at the end."""
        while True:
            rest = self._ahead.lstrip(_BLANK)
            self._pass(len(self._ahead) - len(rest))
            if self._ahead or not self._more():
                return self._ahead[:1]

    def expect(self, mark: str, detail: str = "") -> None:
        """Go past `mark`. Raises NotJson with `detail` if something else is next."""
        if self.next() != mark:
            if not self._ahead and not detail:
                self._refuse()
            raise NotJson(detail or f"The body is not valid JSON: {mark} is expected at character {self._passed}.")
        self._pass(1)

    def end(self) -> None:
        """Raises NotJson if anything follows."""
        if self.next():
            raise NotJson(f"The body is not valid JSON: nothing may follow the object, at character {self._passed}.")

    def name(self) -> str:
        """Go past the name of a member and its colon."""
        name = self.value()
        if not isinstance(name, str):
            raise NotJson(f"The body is not valid JSON: a name is expected before character {self._passed}.")
        self.expect(":")
        return name

    def value(self) -> Any:
        """Go past one value."""
        values, _ = self._checked(self._end_of_value())
        return values[0]

    def values(self) -> tuple[list[Any], str]:
        """Go past the next values of a list, at least one; and the pointer to a name among them that stands twice."""
        if len(self._ahead) < WINDOW:
            self._more()
        with suppress(orjson.JSONDecodeError):
            if brace := self._ahead.rfind("}", 0, LONGEST_VALUE) + 1:
                return self._take(brace)
        return self._checked(self._end_of_values())

    def _more(self) -> bool:
        # twice as much each time, so that a long value is not looked at again and again
        piece = self._text.read(max(WINDOW, len(self._ahead)))
        self._ahead += piece
        return bool(piece)

    def _pass(self, characters: int) -> None:
        self._passed += characters
        self._ahead = self._ahead[characters:]

    def _end_of_values(self) -> int:
        end = self._end_of_value()
        while (comma := _COMMA.match(self._ahead, end)) and (further := self._scan(comma.end())):
            end = further
        return end

    def _end_of_value(self) -> int:
        self.next()
        while not (end := self._scan(0)):
            if len(self._ahead) > LONGEST_VALUE or not self._more():
                self._refuse()
        if end > LONGEST_VALUE:
            raise self._too_long()
        return end

    def _scan(self, start: int) -> int:
        """Where the value at `start` ends; 0 if its end is not ahead, or it is none."""
        if bare := _BARE.match(self._ahead, start):
            # a number may go on behind the window
            return bare.end() if bare.end() < len(self._ahead) else 0
        if not self._ahead.startswith(("{", "[", '"'), start):
            return 0
        depth = AROUND
        for token in _TOKEN.finditer(self._ahead, start):
            mark = self._ahead[token.start()]
            if mark in "[{":
                depth += 1
            elif mark in "]}":
                depth -= 1
            elif not token[1]:
                return 0
            if depth > DEEPEST:
                raise self._too_deep()
            if depth <= AROUND:
                return token.end()
        return 0

    def _refuse(self) -> NoReturn:
        """Say why no value is next."""
        try:
            orjson.loads(f"[{self._ahead}]")
        except orjson.JSONDecodeError as error:
            if error.pos <= len(self._ahead):
                raise self._malformed(error) from None
        if len(self._ahead) > LONGEST_VALUE:
            raise self._too_long()
        raise NotJson(f"The body is not valid JSON: it breaks off at character {self._passed + len(self._ahead)}.")

    def _malformed(self, error: orjson.JSONDecodeError) -> NotJson:
        return NotJson(f"The body is not valid JSON: {error.msg}, at character {self._passed + error.pos - 1}.")

    def _too_long(self) -> NotJson:
        return NotJson(f"A row has up to {LONGEST_VALUE:,} characters; the one at {self._passed} has more.")

    def _too_deep(self) -> NotJson:
        return NotJson(f"The body is nested deeper than {DEEPEST} levels.")

    def _checked(self, end: int) -> tuple[list[Any], str]:
        try:
            return self._take(end)
        except orjson.JSONDecodeError as error:
            raise self._malformed(error) from None

    def _take(self, end: int) -> tuple[list[Any], str]:
        """The values before `end`, judged as strictly as any body."""
        part = self._ahead[:end]
        values = orjson.loads(f"[{part}]")
        if part.count("[") + part.count("{") > len(values) and AROUND + _depth(part) > DEEPEST:
            raise self._too_deep()
        if "\\u0000" in part and _NUL.search(part):
            raise NotJson("The body holds a NUL character (\\u0000), which cannot be kept.")
        self._pass(end)
        # a name that stands twice takes a colon away; only an escape could bring one
        if "\\u003" in part or part.count(":") != orjson.dumps(values).count(b":"):
            return values, repeated_name(f"[{part}]")
        return values, ""


def _depth(part: str) -> int:
    """How many levels of brackets there are in `part`, which is JSON."""
    brackets = _STRING.sub("", part).encode().translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)
