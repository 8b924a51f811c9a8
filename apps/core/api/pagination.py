"""Keyset pagination: opaque signed cursors, stable while rows come and go, and no COUNT(*).

Source: RFC 8288 for the `Link` header; https://use-the-index-luke.com/no-offset for the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core import signing
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from apps.core.errors import FieldProblem, Invalid

SALT = "cursor"
DEFAULT_LIMIT, MAX_LIMIT = 20, 100


@dataclass(frozen=True)
class Cursor:
    """A place in a list: rows after `key` (`forward`), or before it."""

    key: int
    forward: bool = True

    def __str__(self) -> str:
        return signing.dumps([self.key, int(self.forward)], salt=SALT, compress=False)


def read_cursor(text: str) -> Cursor | None:
    """The cursor that `text` stands for, None for none. Raises Invalid for one that this service did not give out."""
    if not text:
        return None
    try:
        key, forward = signing.loads(text, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        problem = FieldProblem("/cursor", "invalid", "is not a cursor of this service; leave it out to start anew")
        raise Invalid([problem]) from None
    return Cursor(int(key), bool(forward))


def read_limit(text: str) -> int:
    """Rows a page, 1 to 100, by default 20. Raises Invalid."""
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_LIMIT):
        raise Invalid([FieldProblem("/limit", "invalid", f"must be a whole number from 1 to {MAX_LIMIT}")])
    return int(text)


@dataclass(frozen=True)
class Page:
    """Rows of one page, and cursors to the neighbouring ones where there are any."""

    rows: list[Any]
    next: Cursor | None
    previous: Cursor | None


def cut(rows: list[dict[str, Any]], limit: int, cursor: Cursor | None, key: str = "id") -> Page:
    """Cut the page from up to `limit + 1` rows, which stand in reading order from the cursor on."""
    more = len(rows) > limit
    rows = rows[:limit]
    forward = cursor is None or cursor.forward
    if not forward:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    has_next, has_previous = (more, cursor is not None) if forward else (True, more)
    after = Cursor(rows[-1][key]) if has_next else None
    before = Cursor(rows[0][key], forward=False) if has_previous else None
    return Page(rows, after, before)


def links(request: Request, page: Page) -> tuple[str | None, str | None, str]:
    """The addresses of the next and the previous page, and the value of the `Link` header; filters are kept."""
    base = remove_query_param(request.build_absolute_uri(), "cursor")
    after = replace_query_param(base, "cursor", str(page.next)) if page.next else None
    before = replace_query_param(base, "cursor", str(page.previous)) if page.previous else None
    named = [(base, "first"), (after, "next"), (before, "prev")]
    return after, before, ", ".join(f'<{url}>; rel="{rel}"' for url, rel in named if url)
