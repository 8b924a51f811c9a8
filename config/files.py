"""Files of settings, `.env` and `$STATE_DIR/env`: checked line by line, then read by django-environ.

A problem names file and line number, never the content: a line that cannot be read may hold a secret.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import environ

LARGEST_BYTES = 1024 * 1024
MOST_PROBLEMS = 20
ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
# the variable that a line which cannot be read probably meant
MEANT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)")
# django-environ takes some of them for the end of a line
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
COMMENT_BEHIND = re.compile(r"\s#")
QUOTED = {"'": re.compile(r"'[^']*'"), '"': re.compile(r'"(?:[^"\\]|\\.)*"')}

UTF8 = "is not UTF-8: save the file as UTF-8"
NUL = "has a NUL in it: the file is not text, or is text in UTF-16; save it as UTF-8"


@dataclass
class Read:
    """What is wrong with a file of settings: its problems, and the variables that stand on lines with one."""

    problems: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


class _BadLine(Exception):
    """A line cannot be read; the message says why without repeating it."""


def read_env_file(path: Path) -> Read:
    """Set the variables that `path` names and the environment does not have yet; a missing file has none.

    Lines with a problem are skipped, and the problems returned. Nothing is raised, and nothing is logged.
    """
    read = Read()
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            read.problems.append(f"{path} is a link to a file that is not there")
        return read
    except OSError as error:
        read.problems.append(f"{path} cannot be read: {error.strerror}")
        return read
    if len(data) > LARGEST_BYTES:
        read.problems.append(f"{path} is larger than {LARGEST_BYTES} bytes: that is no file of settings")
        return read
    if (at := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, at) + 1
        read.problems.append(f"{path}, line {line} {NUL}")
        return read
    good = _good_lines(path, data.removeprefix(b"\xef\xbb\xbf"), read)
    environ.Env.read_env(io.StringIO("\n".join(good)))
    return read


def _good_lines(path: Path, data: bytes, read: Read) -> list[str]:
    good: dict[str, str] = {}
    lines_of: dict[str, int] = {}
    bad = 0
    for number, line in enumerate(data.replace(b"\r\n", b"\n").split(b"\n"), start=1):
        try:
            assignment = _assignment(line)
            if assignment is None:
                continue
            name, value = assignment
            if name in lines_of:
                raise _BadLine(f"sets the variable of line {lines_of[name]} again: keep one of them")
            lines_of[name] = number
            good[name] = f"{name}={value}"
        except _BadLine as problem:
            bad += 1
            if bad <= MOST_PROBLEMS:
                read.problems.append(f"{path}, line {number} {problem}")
            if meant := MEANT.match(line.decode("utf-8", "replace").strip()):
                read.unread.add(meant[1])
    if bad > MOST_PROBLEMS:
        read.problems.append(f"{path} has {bad - MOST_PROBLEMS} more lines with problems")
    return list(good.values())


def _assignment(line: bytes) -> tuple[str, str] | None:
    """Name and value (as django-environ reads it) of a line; None for a blank line or a comment. Raises _BadLine."""
    try:
        text = line.decode().strip(" \t")
    except UnicodeDecodeError:
        raise _BadLine(UTF8) from None
    if CONTROL.search(text):
        raise _BadLine("has a control character in it")
    if not text or text.startswith("#"):
        return None
    found = ASSIGNMENT.fullmatch(text)
    if found is None:
        raise _BadLine("is no NAME=value: no blanks around the =, and a comment starts with #")
    name, value = found[1], found[2].strip(" \t")
    quote = value[:1] if value[:1] in QUOTED else ""
    if quote and QUOTED[quote].fullmatch(value):
        # single quotes keep everything unchanged; django-environ would also remove double quotes inside them
        return name, _in_double_quotes(value[1:-1]) if quote == "'" else value
    if COMMENT_BEHIND.search(value):
        raise _BadLine(
            "has a comment behind the value: give it a line of its own, or put quotes around a value that has # in it"
        )
    if quote or value[-1:] in QUOTED:
        raise _BadLine("has quotes that do not close: put one pair around the whole value")
    return name, value


def _in_double_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
