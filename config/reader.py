"""Reads environment variables one by one, typed, and remembers all that is wrong instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

HOSTLESS = ("filemail", "consolemail", "memorymail", "dummymail")
POSTGRES = ("postgres", "postgresql", "psql", "pgsql")
REDIS = ("redis", "rediss", "unix")
BROKERS = ("redis", "rediss", "amqp", "amqps", "pyamqp")
MAIL = ("smtp", "smtps", "smtp+tls", "smtp+ssl", *HOSTLESS)
HTTP = ("http", "https")


class Reader:
    """Reads variables through django-environ and remembers every problem instead of stopping at the first."""

    def __init__(self, env: environ.Env) -> None:
        self.env = env
        self.problems: list[str] = []

    def _read(self, name: str, default: Any, convert: Callable[[str], Any], expected: str) -> Any:
        raw = self.env.str(name, default="").strip()
        if not raw:
            if default is None:
                self.problems.append(f"{name} is missing: {expected}")
            return default
        try:
            return convert(raw)
        except (ValueError, ImproperlyConfigured):
            self.problems.append(f"{name} is malformed: {expected}")
            return default

    def text(self, name: str, default: str | None, *, at_least: int = 0, expected: str = "a text") -> str:
        def convert(raw: str) -> str:
            if len(raw) < at_least:
                raise ValueError
            return raw

        return str(self._read(name, default, convert, expected))

    def integer(self, name: str, default: int, *, at_least: int = 1, at_most: int = 1_000_000_000) -> int:
        def convert(raw: str) -> int:
            if not raw.isascii() or not raw.isdigit() or len(raw) > 20 or not at_least <= int(raw) <= at_most:
                raise ValueError
            return int(raw)

        return int(self._read(name, default, convert, f"a whole number from {at_least} to {at_most}, e.g. {default}"))

    def number(self, name: str, default: float, *, above: float = 0.0) -> float:
        def convert(raw: str) -> float:
            value = float(raw)
            if not above < value < float("inf"):
                raise ValueError
            return value

        return float(self._read(name, default, convert, f"a number above {above:g}, e.g. {default:g}"))

    def flag(self, name: str) -> bool:
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }

        def convert(raw: str) -> bool:
            if raw.lower() not in words:
                raise ValueError
            return words[raw.lower()]

        return bool(self._read(name, False, convert, "true or false"))

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        def convert(raw: str) -> str:
            if raw.upper() not in allowed:
                raise ValueError
            return raw.upper()

        return str(self._read(name, default, convert, f"one of {', '.join(allowed)}"))

    def url(self, name: str, default: str | None, schemes: tuple[str, ...]) -> str:
        def convert(raw: str) -> str:
            parts = urlsplit(raw)
            if parts.scheme not in schemes or (parts.port or 1) < 1:
                raise ValueError
            if not parts.hostname and parts.scheme not in HOSTLESS:
                raise ValueError
            if parts.scheme in POSTGRES and len(parts.path) < 2:
                raise ValueError
            if parts.scheme in REDIS and not parts.path.lstrip("/").isdigit() and parts.path.strip("/"):
                raise ValueError
            return raw

        return str(
            self._read(name, default, convert, f"a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
        )

    def sentry(self, name: str) -> str:
        def convert(raw: str) -> str:
            parts = urlsplit(raw)
            if parts.scheme not in HTTP or not (
                parts.username and parts.hostname and parts.path.rsplit("/")[-1].isdigit()
            ):
                raise ValueError
            return raw

        return str(self._read(name, "", convert, "a DSN, https://KEY@HOST/PROJECT"))

    def words(self, name: str, default: tuple[str, ...] | None) -> tuple[str, ...]:
        def convert(raw: str) -> tuple[str, ...]:
            words = tuple(word.strip() for word in raw.split(",") if word.strip())
            if not words:
                raise ValueError
            return words

        return tuple(self._read(name, default, convert, "names separated by commas, e.g. api.example.com") or ())

    def origins(self, name: str) -> tuple[str, ...]:
        def convert(raw: str) -> tuple[str, ...]:
            origins = tuple(word.strip().rstrip("/") for word in raw.split(",") if word.strip())
            for origin in origins:
                parts = urlsplit(origin)
                # the port raises where it is none
                if parts.scheme not in HTTP or not parts.hostname or "*" in origin or (parts.port or 1) < 1:
                    raise ValueError
                if origin != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
                    raise ValueError
            return origins

        expected = "origins separated by commas, e.g. https://app.example.com,http://localhost:3000"
        return tuple(self._read(name, (), convert, expected))

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        def convert(raw: str) -> tuple[int, ...]:
            values = tuple(int(word) for word in raw.split(","))
            if min(values) < 0:
                raise ValueError
            return values

        example = ",".join(map(str, default))
        return tuple(self._read(name, default, convert, f"seconds separated by commas, e.g. {example}"))

    def day(self, name: str) -> date | None:
        value: date | None = self._read(name, "", date.fromisoformat, "a day, e.g. 2027-06-30") or None
        return value
