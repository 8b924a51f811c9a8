"""Keyset pagination: opaque signed cursors, stable while rows come and go, and no COUNT(*).

Source: RFC 8288 for the `Link` header; https://use-the-index-luke.com/no-offset for the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.core import signing
from django.http import HttpResponse
from rest_framework.request import Request

from apps.core.errors import FieldProblem, Invalid, together
from apps.core.http.renderers import json_answer
from apps.core.reads import Cursor

DEFAULT_LIMIT, MAX_LIMIT = 20, 100


def write_cursor(request: Request, cursor: Cursor) -> str:
    """Sign `cursor` for the list that `request` asks for; every other list refuses it."""
    return _signer(request).sign_object([cursor.key, int(cursor.forward)])


def read_cursor(request: Request) -> Cursor | None:
    """The request's cursor, None without one. Raises Invalid for one that this list did not give out."""
    text = request.query_params.get("cursor", "")
    if not text:
        return None
    try:
        key, forward = _signer(request).unsign_object(text)
    except (signing.BadSignature, ValueError, TypeError):
        problem = FieldProblem("/cursor", "invalid", "is not a cursor of this list; leave it out to start again")
        raise Invalid([problem]) from None
    return Cursor(int(key), bool(forward))


def _signer(request: Request) -> signing.Signer:
    # the list, in whatever version; without a time stamp, so that the same place always has the same cursor
    match = request.resolver_match
    return signing.Signer(salt=f"cursor:{match.url_name}:{match.kwargs}" if match else "cursor")


def read_limit(request: Request) -> int:
    """Rows a page, 1 to 100, by default 20. Raises Invalid."""
    text = request.query_params.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise Invalid([FieldProblem("/limit", "invalid", f"must be a whole number from 1 to {MAX_LIMIT}")])
    return int(text)


@dataclass(frozen=True)
class Page:
    """Rows of one page, and cursors to the neighbouring ones if there are any."""

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


def paged(
    request: Request,
    ask: Callable[..., list[dict[str, Any]]],
    represent: Callable[[dict[str, Any]], dict[str, Any]],
    headers: Mapping[str, str],
    filters: Sequence[Callable[[], Any]] = (),
) -> HttpResponse:
    """The page that the request's `limit` and `cursor` name, of what `ask` finds for them and what `filters` read.

    Raises Invalid with all that is wrong with the query.
    """
    limit, cursor, *more = together(lambda: read_limit(request), lambda: read_cursor(request), *filters)
    page = cut(ask(limit, cursor, *more), limit, cursor)
    after = write_cursor(request, page.next) if page.next else None
    before = write_cursor(request, page.previous) if page.previous else None
    body = {"results": [represent(row) for row in page.rows], "next": after, "previous": before}
    return json_answer(body, headers={"Link": _link(request, after, before), **headers})


def _link(request: Request, after: str | None, before: str | None) -> str:
    """The `Link` header; filters are kept."""
    given = [(name, value) for name, values in request.query_params.lists() if name != "cursor" for value in values]
    path, kept = request.build_absolute_uri(request.path), urlencode(given)

    def link(relation: str, *more: str) -> str:
        query = "&".join(filter(None, (kept, *more)))
        return f'<{path}{"?" if query else ""}{query}>; rel="{relation}"'

    others = [link(name, f"cursor={quote(cursor)}") for cursor, name in ((after, "next"), (before, "prev")) if cursor]
    return ", ".join([link("first"), *others])
