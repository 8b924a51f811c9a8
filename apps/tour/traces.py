"""The newest traces, as the waterfall draws them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.tour.waterfall import Span

TRACE_ID = re.compile(r"[0-9a-f]{32}")


def spans_of(trace_id: str) -> Sequence[Span]:
    """The spans of a trace that are known by now, none for what is no id of a trace."""
    if not TRACE_ID.fullmatch(trace_id):
        return ()
    return ()
