"""The kinds of settings: what a field of the dataclass is set to, with a default, a sentence about it and a rule.

A kind claims to return the type of its values, so that a type checker compares it with the annotation of the field. A
rule of its own goes into `checked`, or `each` for a list: a function that returns the value or raises `Refused`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from email.utils import quote as quoted
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from config.reader import Refused, declare

T = TypeVar("T")
DIGITS = re.compile(r"[0-9]{1,15}")
DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
# a year; longer waits are mistakes, and some are more than PostgreSQL or the C library can hold
LONGEST_SECONDS = 31_536_000
FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def text(default: str, about: str, *, at_least: int = 0, expected: str = "a text") -> str:
    """Any text of `at_least` characters."""
    return declare(_of_length, default, about, expected, at_least=at_least)


def texts(about: str, *, at_least: int, expected: str) -> tuple[str, ...]:
    """Texts of `at_least` characters, separated by commas; none by default."""
    return declare(partial(_each, _of_length, expected), (), about, expected, at_least=at_least)


def token(about: str) -> str:
    """A text that goes into a header unchanged; empty by default."""
    return declare(_token, "", about, "ASCII characters without blanks, as they stand in a header")


def integer(default: int, about: str, *, at_least: int = 1, at_most: int = 1_000_000_000) -> int:
    """A whole number in ASCII digits."""

    def expected(example: str, at_least: int, at_most: int) -> str:
        return f"a whole number from {at_least} to {at_most}{example}"

    return declare(_whole_number, default, about, expected, at_least=at_least, at_most=at_most)


def number(default: float, about: str, *, above: float = 0.0, at_most: float = LONGEST_SECONDS) -> float:
    """A decimal number, without exponent."""

    def expected(example: str, above: float, at_most: float) -> str:
        return f"a number above {above:g} and up to {at_most:.10g}{example}"

    return declare(_decimal, default, about, expected, above=above, at_most=at_most)


def flag(about: str) -> bool:
    """True or false, false by default."""
    return declare(_flag, False, about, "true or false")


def choice(default: str, about: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`, which are in upper case and are named at the end of `about`."""
    words = ", ".join(allowed)
    return declare(_one_of, default, f"{about}: {words}", f"one of {words}", allowed=allowed)


def word(default: str, about: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`, which are in lower case; `about` explains each."""
    return declare(_one_word, default, about, f"one of {', '.join(allowed)}", allowed=allowed)


def waits(default: tuple[int, ...], about: str) -> tuple[int, ...]:
    """Waits in seconds, separated by commas."""
    return declare(_waits, default, about, "seconds separated by commas{}".format)


def day(about: str) -> date | None:
    """A day; none by default."""
    return declare(_day, None, about, "a day, e.g. 2027-06-30")


def sender(default: str, about: str) -> str:
    """Who mail comes from."""
    return declare(_sender, default, about, "an address{}".format)


def mailbox(name: str, address: str) -> str:
    """The address with the name before it, in quotes if RFC 5322 wants them."""
    return f'"{quoted(name)}" <{address}>' if set(name) & set('()<>@,;:.\\"[]') else f"{name} <{address}>"


def folder(default: Path, about: str) -> Path:
    """A folder, by its absolute path."""
    return declare(_folder, default, about, "a folder")


def checked(default: T, about: str, check: Callable[[str], T], *, expected: str = "a text") -> T:
    """What `check` returns for a text, unless it raises Refused."""
    return declare(check, default, about, expected)


def each(default: tuple[T, ...], about: str, check: Callable[[str], T], *, expected: str) -> tuple[T, ...]:
    """Words separated by commas, each as `check` returns it; the message names each refused one by its place."""
    return declare(partial(_each, check, expected), default, about, expected)


def _each(check: Callable[..., T], expected: str, raw: str, **rules: Any) -> tuple[T, ...]:
    good, wrong = [], []
    words = [word.strip() for word in raw.split(",") if word.strip()]
    for place, word in enumerate(words, start=1):
        try:
            good.append(check(word, **rules))
        except Refused as problem:
            wrong.append(f"entry {place}: {problem}")
    if wrong:
        raise Refused(f"{'; '.join(wrong)} ({expected})")
    if not good:
        raise ValueError
    return tuple(good)


def _of_length(raw: str, *, at_least: int) -> str:
    if len(raw) < at_least:
        raise Refused(f"{at_least} characters or more")
    return raw


def _token(raw: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]+", raw):
        raise ValueError
    return raw


def _whole_number(raw: str, *, at_least: int, at_most: int) -> int:
    if not DIGITS.fullmatch(raw) or not at_least <= int(raw) <= at_most:
        raise ValueError
    return int(raw)


def _decimal(raw: str, *, above: float, at_most: float) -> float:
    if not DECIMAL.fullmatch(raw) or not above < float(raw) <= at_most:
        raise ValueError
    return float(raw)


def _flag(raw: str) -> bool:
    if raw.lower() not in FLAGS:
        raise ValueError
    return FLAGS[raw.lower()]


def _one_of(raw: str, *, allowed: tuple[str, ...]) -> str:
    if raw.upper() not in allowed:
        raise ValueError
    return raw.upper()


def _one_word(raw: str, *, allowed: tuple[str, ...]) -> str:
    if raw.lower() not in allowed:
        raise ValueError
    return raw.lower()


def _waits(raw: str) -> tuple[int, ...]:
    words = raw.split(",")
    if len(words) > 100:
        raise Refused("has more than 100 waits")
    return tuple(_whole_number(word.strip(), at_least=0, at_most=LONGEST_SECONDS) for word in words)


def _day(raw: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", raw):
        raise ValueError
    return date.fromisoformat(raw)


def _folder(raw: str) -> Path:
    return Path(raw).absolute()


def _sender(raw: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(raw)[1]):
        raise ValueError
    return raw
