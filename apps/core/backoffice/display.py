"""How the admin shows values: JSON that people can read, and tables within a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# Django's own sign for an empty value
NOTHING = "-"


def pretty(value: Any) -> SafeString | str:
    """JSON over several lines; a dash for None."""
    if value is None:
        return NOTHING
    return format_html('<pre class="json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False, default=str))


def shortened(text: str, length: int = 120) -> str:
    """The beginning of `text`, for a column of a list."""
    return text if len(text) <= length else f"{text[:length]}…"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> SafeString:
    """A table; it scrolls by itself if the window is narrow."""
    heads = format_html_join("", "<th>{}</th>", ((name,) for name in head))
    lines = [(format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows]
    body = format_html_join("", "<tr>{}</tr>", lines)
    return format_html(
        '<div class="scrolls"><table class="within"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        heads,
        body,
    )
