"""Markdown pages as HTML, by markdown-it-py and Pygments.

The pages are written for the code host, where links lead to files of the repository. Here those that lead to another
page of a pattern, or to a file that has a page, do too; what has none is shown without a link.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from apps.tour.sources import sources

NEIGHBOUR = re.compile(r"([a-z-]+)\.md")
FILE = re.compile(r"\.\./\.\./([\w/.-]+\.py)(?:#L(\d+))?")
SENTENCE = re.compile(r"(?<=\.) ")
MARKER = re.compile(r"<!--.*?-->\n?")


def read(page: Path) -> SafeString:
    """The HTML of the Markdown file `page`, made anew if it has changed. Raises FileNotFoundError."""
    return _rendered(page, page.stat().st_mtime_ns)


@cache
def headlines(comparisons: Path) -> dict[str, tuple[str, str]]:
    """By the name of each pattern what was done, in a sentence, and what it prevents; empty without a recorded run."""
    try:
        runs = json.loads(comparisons.read_text())
        return {one["pattern"]: (SENTENCE.split(one["experiment"])[0], one["headline"]) for one in runs}
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=64)
def _rendered(page: Path, changed_at: int) -> SafeString:
    # what a text holds of HTML is shown and not obeyed
    markdown = MarkdownIt("commonmark", {"html": False, "highlight": _coloured}).enable("table")
    tokens = markdown.parse(MARKER.sub("", page.read_text(encoding="utf-8")))
    for token in tokens:
        _lead_here(token.children or [])
        if token.type == "table_open":
            token.attrSet("class", "figures")
        if token.attrs.pop("style", None) == "text-align:right":
            # the pages allow no style but that of the style sheets
            token.attrSet("class", "number")
    # a box that scrolls can be reached with the keyboard
    html = markdown.renderer.render(tokens, markdown.options, {}).replace("<pre>", '<pre tabindex="0">')
    safe: SafeString = mark_safe(html)  # noqa: S308 # of our own files
    return safe


def _lead_here(tokens: list[Token]) -> None:
    """Point links to pages of this site, and take away those that lead into the repository."""
    dead = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href"))
            neighbour, file = NEIGHBOUR.fullmatch(target), FILE.fullmatch(target)
            if neighbour:
                token.attrSet("href", f"/patterns/{neighbour[1]}")
            elif file and file[1] in sources():
                token.attrSet("href", f"/code/{file[1]}" + (f"#L-{file[2]}" if file[2] else ""))
            dead = not neighbour and "://" not in target and str(token.attrGet("href")) == target
            if dead:
                token.tag, token.attrs = "span", {"class": "file"}
        elif token.type == "link_close" and dead:
            token.tag = "span"


def _coloured(code: str, language: str, _: str) -> str:
    return str(highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))) if language == "python" else ""
