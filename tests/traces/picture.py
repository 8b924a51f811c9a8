"""A trace as a picture: `python -m tests.traces.picture TRACE_ID > docs/tracing.svg`, of a running `make run`.

Every span is a line: its indent shows whose child it is, its bar when it ran, the bar's colour in which process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from html import escape

from apps.core.telemetry.spans import KeptSpan

WIDTH, LINE, TEXT, BARS, RIGHT = 1180, 20, 400, 420, 100
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2", "#9c6b4e")


def nested(spans: Sequence[KeptSpan], parent: str, depth: int = 0) -> Iterator[tuple[int, KeptSpan]]:
    """`spans` as a tree, each with its depth."""
    for one in (span for span in spans if span.parent_id == parent):
        yield depth, one
        yield from nested(spans, one.span_id, depth + 1)


def drawn(spans: Sequence[KeptSpan]) -> str:
    """The SVG."""
    ids = {span.span_id for span in spans}
    first = next(span for span in spans if span.parent_id not in ids)
    lines = list(nested(spans, first.parent_id))
    begin = min(span.start for span in spans)
    seconds = max(span.start + span.duration_ms / 1000 for span in spans) - begin
    roles = sorted({_role(span) for span in spans}, key=lambda role: min(s.start for s in spans if _role(s) == role))
    colours = dict(zip(roles, COLOURS, strict=False))
    height = LINE * (len(lines) + 2) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, role in enumerate(roles):
        left = 10 + number * 190
        parts.append(f'<rect x="{left}" y="8" width="12" height="12" fill="{colours[role]}"/>')
        parts.append(f'<text x="{left + 18}" y="18">{escape(role)}</text>')
    scale = (WIDTH - BARS - RIGHT) / seconds
    for number, (depth, span) in enumerate(lines, start=1):
        y, x = LINE * number + 26, BARS + (span.start - begin) * scale
        width = max(span.duration_ms / 1000 * scale, 2)
        name = f"{span.name}{' ✗' if span.failed else ''}"
        parts.append(f'<text x="{10 + depth * 14}" y="{y}">{escape(name)}</text>')
        parts.append(
            f'<rect x="{x:.1f}" y="{y - 11}" width="{width:.1f}" height="13" fill="{colours[_role(span)]}"/>'
            f'<text x="{x + width + 4:.1f}" y="{y}" fill="#555" font-size="10">{span.duration_ms:.1f} ms</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _role(span: KeptSpan) -> str:
    return span.process.partition("@")[0]


def main() -> None:
    """Draw the trace that the first argument names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    import django

    django.setup()
    from apps.core.bus import bus
    from apps.core.telemetry.spans import GetTrace

    spans = bus.ask(GetTrace(sys.argv[1]))
    sys.stdout.write(drawn(spans))


if __name__ == "__main__":
    main()
