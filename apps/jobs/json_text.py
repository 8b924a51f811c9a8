"""Strict JSON (RFC 8259, RFC 7493) as a stream: the values of a list that does not fit in memory, some at a time.

A window of the text is handed to orjson, which is as strict with it as with the whole. The place to cut is guessed: the
last brace. JSON is read from left to right, so if the text before the cut is a list of whole values by itself, they
are the same values in the whole text. If the guess is wrong, the brackets are counted.
A streaming parser would not do: ijson 3 over yajl turns a lone surrogate into "?" and lets a name stand twice.
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
# levels, including the object and the list around the values
DEEPEST = 100
AROUND = 2
_BLANK = " \t\n\r"
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# possessive, so that each character is looked at once
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BARE = re.compile(r'[^][{}",: \t\n\r]+')
# one up, one down, and the rest level
_STEPS = bytes({"[": 1, "{": 1, "]": 255, "}": 255}.get(chr(byte), 0) for byte in range(256))
_END_OF_VALUE, _END_OF_LIST = bytes((AROUND + 1, AROUND)), bytes((AROUND - 1,))


class NotJson(JobError):
    """The text is not strict JSON, or has a value that is too large to read; the message says what and where."""


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
        """The next character that is not blank, without going past it; "" at the end."""
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
        while True:
            if brace := self._ahead.rfind("}", 0, LONGEST_VALUE) + 1:
                with suppress(orjson.JSONDecodeError):
                    return self._take(brace)
            if len(self._ahead) > LONGEST_VALUE or not self._more():
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
        """Where the last whole value within LONGEST_VALUE characters ends. Raises NotJson if the first is not whole."""
        first = self._end_of_value()
        depths = _depths(self._ahead[:LONGEST_VALUE])
        inside = depths.partition(_END_OF_LIST)[0]
        return max(first, inside.rfind(_END_OF_VALUE) + len(_END_OF_VALUE))

    def _end_of_value(self) -> int:
        self.next()
        while not (end := self._whole_value()):
            if len(self._ahead) > LONGEST_VALUE or not self._more():
                self._refuse()
        if end > LONGEST_VALUE:
            raise self._too_long()
        return end

    def _whole_value(self) -> int:
        """Where the next value ends; 0 if its end is not in the window, or if it is not a value."""
        if bare := _BARE.match(self._ahead):
            # a number may go on behind the window
            return bare.end() if bare.end() < len(self._ahead) else 0
        if text := _STRING.match(self._ahead):
            return text.end()
        if not self._ahead.startswith(("{", "[")):
            return 0
        place = _depths(self._ahead).find(_END_OF_VALUE)
        return place + len(_END_OF_VALUE) if place >= 0 else 0

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

    def _checked(self, end: int) -> tuple[list[Any], str]:
        try:
            return self._take(end)
        except orjson.JSONDecodeError as error:
            raise self._malformed(error) from None

    def _take(self, end: int) -> tuple[list[Any], str]:
        """Go past the values before `end`, which are checked as strictly as any body, and return them."""
        part = self._ahead[:end]
        values = orjson.loads(f"[{part}]")
        if part.count("[") + part.count("{") > len(values):
            _depths(part)
        if "\\u0000" in part and _NUL.search(part):
            raise NotJson("The body holds a NUL character (\\u0000), which cannot be kept.")
        self._pass(end)
        # if a name stands twice, writing the values again gives fewer colons; only an escape could add one
        if "\\u003" in part or part.count(":") != orjson.dumps(values).count(b":"):
            return values, repeated_name(f"[{part}]")
        return values, ""


def _depths(text: str) -> bytes:
    """The level behind each character of `text`, which begins inside a list in an object, up to an unfinished string.

    Raises NotJson if it is nested too deeply.
    """
    bare, _, _ = _STRING.sub(_blank, text).partition('"')
    steps = bare.encode("ascii", "replace").translate(_STEPS)
    try:
        depths = bytes(accumulate(memoryview(steps).cast("b"), initial=AROUND))[1:]
    except ValueError:
        raise NotJson(f"The body is nested deeper than {DEEPEST} levels, or closes more than it opens.") from None
    if depths and max(depths) > DEEPEST:
        raise NotJson(f"The body is nested deeper than {DEEPEST} levels.")
    return depths


def _blank(string: re.Match[str]) -> str:
    return "_" * len(string[0])
