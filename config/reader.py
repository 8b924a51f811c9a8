"""Reads environment variables one by one, typed, and remembers all that is wrong instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from functools import partial
from typing import Any, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

from config import hosts
from config.hosts import Refused

T = TypeVar("T")
DIGITS = re.compile(r"[0-9]{1,15}")
DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
# a year; longer waits are mistakes, and some are more than PostgreSQL or the C library can hold
LONGEST_SECONDS = 31_536_000
COMMENT = re.compile(r"\s#(?:\s|$)")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class Reader:
    """Reads variables from django-environ's mapping and remembers every problem instead of stopping at the first.

    A value is what it is: `Env.str` would take `$NAME` for a reference to another variable.
    """

    def __init__(self, env: environ.Env) -> None:
        self.env = env
        self.problems: list[str] = []

    def _read(self, name: str, default: Any, convert: Callable[[str], Any], expected: str) -> Any:
        raw = self.env.ENVIRON.get(name, "").strip()
        if not raw:
            if default is None:
                self.problems.append(f"{name} is missing: {expected}")
            return default
        try:
            _check_text(raw)
            return convert(raw)
        except Refused as problem:
            self.problems.append(f"{name} is malformed: {problem}")
        except (ValueError, ImproperlyConfigured):
            # their messages repeat the value
            self.problems.append(f"{name} is malformed: {expected}")
        return default

    def text(self, name: str, default: str | None, *, at_least: int = 0, expected: str = "a text") -> str:
        """Any text of `at_least` characters."""
        return str(self._read(name, default, partial(_of_length, at_least=at_least), expected))

    def texts(self, name: str, *, at_least: int, expected: str) -> tuple[str, ...]:
        """Texts of `at_least` characters, separated by commas; none by default."""
        return self._each(name, (), partial(_of_length, at_least=at_least), expected)

    def token(self, name: str) -> str:
        """What goes into a header as it is; empty by default."""

        def convert(raw: str) -> str:
            if not re.fullmatch(r"[\x21-\x7e]+", raw):
                raise ValueError
            return raw

        return str(self._read(name, "", convert, "ASCII characters without blanks, as they stand in a header"))

    def integer(self, name: str, default: int, *, at_least: int = 1, at_most: int = 1_000_000_000) -> int:
        """A whole number in ASCII digits."""
        expected = f"a whole number from {at_least} to {at_most}, e.g. {default}"
        convert = partial(_whole_number, at_least=at_least, at_most=at_most)
        return int(self._read(name, default, convert, expected))

    def number(self, name: str, default: float, *, above: float = 0.0, at_most: float = LONGEST_SECONDS) -> float:
        """A decimal number, without exponent."""

        def convert(raw: str) -> float:
            if not DECIMAL.fullmatch(raw) or not above < float(raw) <= at_most:
                raise ValueError
            return float(raw)

        expected = f"a number above {above:g} and up to {at_most:.10g}, e.g. {default:g}"
        return float(self._read(name, default, convert, expected))

    def flag(self, name: str) -> bool:
        """True or false, false by default."""

        def convert(raw: str) -> bool:
            if raw.lower() not in FLAGS:
                raise ValueError
            return FLAGS[raw.lower()]

        return bool(self._read(name, False, convert, "true or false"))

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`, which are in upper case."""

        def convert(raw: str) -> str:
            if raw.upper() not in allowed:
                raise ValueError
            return raw.upper()

        return str(self._read(name, default, convert, f"one of {', '.join(allowed)}"))

    def url(self, name: str, default: str | None, check: Callable[[str], str], expected: str = "a URL") -> str:
        """A URL as `check` returns it, which raises Refused."""
        return str(self._read(name, default, check, expected))

    def host(self, name: str, default: str) -> str:
        """The name or address of a host."""
        return str(self._read(name, default, hosts.host, "a name or an address"))

    def sender(self, name: str, default: str) -> str:
        """Who mail comes from."""

        def convert(raw: str) -> str:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(raw)[1]):
                raise ValueError
            return raw

        return str(self._read(name, default, convert, f"an address, e.g. {default}"))

    def allowed_hosts(self, name: str, default: tuple[str, ...] | None) -> tuple[str, ...]:
        """Names of hosts, separated by commas."""
        return self._each(name, default, hosts.allowed_host, "names separated by commas, e.g. api.example.com")

    def origins(self, name: str, *, wildcard: bool = False) -> tuple[str, ...]:
        """Origins, separated by commas; `wildcard` allows https://*.example.com."""
        expected = "origins separated by commas, e.g. https://app.example.com,http://localhost:3000"
        return self._each(name, (), partial(hosts.origin, wildcard=wildcard), expected)

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Waits in seconds, separated by commas."""

        def convert(raw: str) -> tuple[int, ...]:
            words = raw.split(",")
            if len(words) > 100:
                raise Refused("has more than 100 waits")
            return tuple(_whole_number(word.strip(), at_least=0, at_most=LONGEST_SECONDS) for word in words)

        example = ",".join(map(str, default))
        return tuple(self._read(name, default, convert, f"seconds separated by commas, e.g. {example}"))

    def day(self, name: str) -> date | None:
        """A day; none by default."""

        def convert(raw: str) -> date:
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", raw):
                raise ValueError
            return date.fromisoformat(raw)

        value: date | None = self._read(name, "", convert, "a day, e.g. 2027-06-30") or None
        return value

    def _each(
        self, name: str, default: tuple[T, ...] | None, check: Callable[[str], T], expected: str
    ) -> tuple[T, ...]:
        """Words separated by commas, each as `check` returns it; all that it refuses is named by its place."""

        def convert(raw: str) -> tuple[T, ...]:
            good, wrong = [], []
            words = [word.strip() for word in raw.split(",") if word.strip()]
            for place, word in enumerate(words, start=1):
                try:
                    good.append(check(word))
                except Refused as problem:
                    wrong.append(f"entry {place}: {problem}")
            if wrong:
                raise Refused(f"{'; '.join(wrong)} ({expected})")
            if not good:
                raise ValueError
            return tuple(good)

        return tuple(self._read(name, default, convert, expected) or ())


def _check_text(raw: str) -> None:
    """Raises Refused for what is a mistake in any value."""
    if not raw.isprintable() and CONTROL.search(raw):
        raise Refused("has a control character in it")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise Refused("is not UTF-8") from None
    if COMMENT.search(raw):
        raise Refused("has what looks like a comment behind it: a comment in a file needs a line of its own")


def _of_length(raw: str, *, at_least: int) -> str:
    if len(raw) < at_least:
        raise Refused(f"{at_least} characters or more")
    return raw


def _whole_number(raw: str, *, at_least: int, at_most: int) -> int:
    if not DIGITS.fullmatch(raw) or not at_least <= int(raw) <= at_most:
        raise ValueError
    return int(raw)
