"""The files that the patterns' pages speak of: what to take, the naive version and the test, each as a page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from apps.core.patterns import PATTERNS

NAIVE = "config/compare/naive"


def sources() -> frozenset[str]:
    """The paths of those that have a page: none in production, for a copy's code may be nobody else's business."""
    return frozenset() if settings.PROFILE == "production" else _here()


@cache
def _here() -> frozenset[str]:
    named = {file for pattern in PATTERNS for file in (pattern.file, pattern.test, *pattern.take)}
    root: Path = settings.BASE_DIR
    naive = {f"{NAIVE}/{file.name}" for file in (root / NAIVE).glob("[a-z]*.py")}
    return frozenset(file for file in named | naive if file.endswith(".py") and (root / file).is_file())


def shown(file: str) -> SafeString:
    """The code of one of them in colours; its lines can be led to as #L1."""
    code = (settings.BASE_DIR / file).read_text(encoding="utf-8")
    html = highlight(code, PythonLexer(), HtmlFormatter(wrapcode=True, linespans="L"))
    # a box that scrolls can be reached with the keyboard
    safe: SafeString = mark_safe(html.replace("<pre>", '<pre tabindex="0">', 1))  # noqa: S308 # of our own files
    return safe
