"""What people read: no link is dead, and every command that is shown exists, with the options that it is shown with."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from functools import cache
from pathlib import Path

import pytest
from django.core.management import load_command_class
from django.core.management.base import CommandError

from tests.processes import ROOT

FOLDERS = (".", "docs", "docs/decisions", "docs/patterns", "docs/recipes", "config/deploy")
DOCUMENTS = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)|\b(?:src|srcset)=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# in code: after a prompt's blanks, a backtick, or the interpreter's name
SHOWN = re.compile(r"(?:`|python )manage\.py ([a-z_]+)([^\n`|;&>)]*)")
TARGET = re.compile(r"(?:^ {4}|`)make ([a-z][a-z-]*)", re.MULTILINE)
# others' commands, whose options are not ours to check
OTHERS = {"migrate", "collectstatic", "shell", "dbshell", "check", "makemigrations", "showmigrations", "spectacular"}
LEAST_READ = 250


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    said = [
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()) for heading in HEADING.findall(page.read_text())
    ]
    return {heading.strip().replace(" ", "-") for heading in said}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_links_lead_somewhere(page: Path) -> None:
    text = CODE.sub("", page.read_text())
    dead = []
    for target in (first or second for first, second in LINK.findall(text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            dead.append(target)
    assert dead == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = (first or second for first, second in LINK.findall(CODE.sub("", page.read_text())))
        targets = ((page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link)
        waiting += [target for target in targets if target.suffix == ".md" and target.is_file()]
    assert {page.resolve() for page in DOCUMENTS} - reached == set()


def parsers() -> dict[str, ArgumentParser]:
    """The parser of each of our commands."""
    found: dict[str, ArgumentParser] = {}
    for file in ROOT.glob("apps/*/management/commands/[a-z]*.py"):
        app = ".".join(file.relative_to(ROOT).parts[:2])
        found[file.stem] = load_command_class(app, file.stem).create_parser("manage.py", file.stem)
    return found


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    known, strange, checked = parsers(), [], 0
    for page in DOCUMENTS:
        for name, rest in SHOWN.findall(page.read_text()):
            if name in OTHERS:
                continue
            options = {word.partition("=")[0] for word in words(rest) if word.startswith("--")}
            has = set(known[name]._option_string_actions) if name in known else set()
            checked += 1
            if name not in known or options - has:
                strange.append(f"{page.name}: manage.py {name} {' '.join(sorted(options - has))}")
    assert strange == []
    assert checked > LEAST_READ // 10


def words(rest: str) -> list[str]:
    """The words of a command line up to a comment."""
    try:
        return shlex.split(rest.partition(" #")[0])
    except ValueError:
        return rest.split()


def test_every_target_of_make_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {(page.name, name) for page in DOCUMENTS for name in TARGET.findall(page.read_text())}
    assert {(page, name) for page, name in shown if name not in targets} == set()


def test_a_wrong_option_would_show() -> None:
    with pytest.raises(CommandError):
        parsers()["outbox"].parse_args(["--no-such-option"])
