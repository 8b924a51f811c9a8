"""Reads settings: a frozen dataclass, each of whose fields says how its variable is read.

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        title: str = text("Shop", "The title of the API")
        pool_size: int = integer(5, "Database connections of each process", at_most=100)

    reader = Reader(Settings, os.environ)
    settings = reader.read()
    if reader.problems:
        raise SettingsError(reader.problems)

The variable of a field has the field's name in capitals. The kinds of settings are functions in `config.kinds`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, TypeVar, cast

S = TypeVar("S")
T = TypeVar("T")
COMMENT = re.compile(r"\s#(?:\s|$)")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
QUOTES = "'\""
WIDTH = 120
# in place of a default: the variable has to be set
REQUIRED: Any = object()
# in place of a value that cannot be read
UNKNOWN: Any = object()
Expected = str | Callable[..., str]


class Refused(ValueError):
    """A value cannot be used; the message says how to correct it, and repeats nothing of the value."""


class SettingsError(Exception):
    """One or more settings are missing or malformed; `problems` has a line for each, without any value."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The settings are not usable:\n{lines}\n.env.example explains every variable.")


class Unknown(Exception):
    """A value depends on another setting that is missing or malformed."""


@dataclass(frozen=True)
class Setting:
    """One variable: its default, a sentence about it, and `convert`, which makes the value from text and `rules`.

    `convert` raises Refused with a message of its own, or ValueError for the message `expected`, which is a text or a
    function of an example and the rules. The default, what is expected and each rule may be a `Depends`.
    """

    convert: Callable[..., Any]
    default: Any
    about: str
    expected: Expected
    rules: Mapping[str, Any]
    heading: str = ""


@dataclass(frozen=True)
class Depends:
    """What is made from other settings."""

    on: Callable[[Any], Any]


def declare(convert: Callable[..., T], default: T, about: str, expected: Expected, **rules: Any) -> T:
    """A field of a dataclass of settings, from what `Setting` says."""
    return cast(T, field(metadata={"setting": Setting(convert, default, about, expected, rules)}))


def section(heading: str, declared: T) -> T:
    """`declared`, the first setting under `heading` in the file that `documented` makes."""
    setting = cast(Any, declared).metadata["setting"]
    return cast(T, field(metadata={"setting": replace(setting, heading=heading)}))


def depends(on: Callable[[Any], T]) -> T:
    """In place of a default, a rule or what is expected: `on` makes it from `known["the_field_of_a_setting"]`."""
    return cast(T, Depends(on))


def settings_of(cls: type) -> dict[str, Setting]:
    """The settings that `cls` declares, by the names of their fields."""
    return {it.name: it.metadata["setting"] for it in fields(cast(Any, cls)) if "setting" in it.metadata}


class Reader(Generic[S]):
    """Reads the settings of a dataclass and remembers every problem instead of stopping at the first.

    `known` are fields with values that are not read. A value is taken literally: it cannot refer to another variable.
    """

    def __init__(self, cls: type[S], environment: Mapping[str, str], **known: Any) -> None:
        self.cls, self.environment, self.known = cls, environment, known
        self.settings = settings_of(cls)
        self.problems: list[str] = []

    def read(self) -> S:
        """All settings; one that is in `problems` has its default, or None if it has none."""
        for name in self.settings:
            self._value(name)
        return self.cls(**{name: None if value is UNKNOWN else value for name, value in self.known.items()})

    def __getitem__(self, name: str) -> Any:
        """The value of the field `name`, read when it is first asked for. Raises Unknown if it has none."""
        value = self._value(name)
        if value is UNKNOWN:
            raise Unknown(name)
        return value

    def _value(self, name: str) -> Any:
        if name not in self.known:
            self.known[name] = self._read(name.upper(), self.settings[name])
        return self.known[name]

    def _read(self, name: str, setting: Setting) -> Any:
        default = self._resolved(setting.default)
        rules = {rule: self._resolved(value) for rule, value in setting.rules.items()}
        raw = self.environment.get(name, "").strip()
        try:
            if raw:
                _check_text(raw)
                # a rule that depends on a malformed setting says nothing yet
                return UNKNOWN if UNKNOWN in rules.values() else setting.convert(raw, **rules)
            if default is REQUIRED:
                self.problems.append(f"{name} is missing: {self._expected(setting, default, rules)}")
        except Refused as problem:
            self.problems.append(f"{name} is malformed: {problem}")
        except ValueError:
            # its message repeats the value
            self.problems.append(f"{name} is malformed: {self._expected(setting, default, rules)}")
        return UNKNOWN if default is REQUIRED else default

    def _expected(self, setting: Setting, default: Any, rules: Mapping[str, Any]) -> str:
        if UNKNOWN in rules.values():
            return "it goes by another setting that is missing or malformed"
        expected = self._resolved(setting.expected)
        example = written(default) and f", e.g. {written(default)}"
        return str(expected(example, **rules) if callable(expected) else expected)

    def _resolved(self, value: Any) -> Any:
        try:
            while isinstance(value, Depends):
                value = value.on(self)
        except Unknown:
            return UNKNOWN
        return value


def written(value: Any) -> str:
    """`value` as a variable holds it; empty for what is not known before the settings are read."""
    if value is None or value in (REQUIRED, UNKNOWN) or isinstance(value, Depends):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.10g}"
    return ",".join(map(written, value)) if isinstance(value, tuple) else str(value)


def documented(cls: type) -> str:
    """What `cls` declares as a file of settings: under each heading, the sentence and the default of each variable."""
    lines = []
    for name, it in settings_of(cls).items():
        if it.heading:
            lines += ["", heading(it.heading)]
        lines.append(entry(name.upper(), it.about, written(it.default)))
    return "\n".join(lines) + "\n"


def heading(words: str) -> str:
    """The line that begins a part of the file."""
    return f"# --- {words} ".ljust(WIDTH, "-")


def entry(name: str, about: str, value: str) -> str:
    """The sentence about a variable, and below it the variable."""
    comment = textwrap.fill(
        about, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )
    return f"{comment}\n{name}={in_quotes(value) if set(value[:1] + value[-1:]) & set(QUOTES) else value}"


def in_quotes(value: str) -> str:
    """A value that itself begins or ends with a quote, as a file of settings has it."""
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


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
