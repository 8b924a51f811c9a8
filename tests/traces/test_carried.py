"""The client's traceparent goes with the work, also if nobody traces."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.core.context import accept_traceparent, continued, span, traceparent
from config.logging import with_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
Drain = Callable[[], int]


@pytest.mark.parametrize(
    ("offered", "accepted"),
    [
        (SAMPLED, SAMPLED),
        (UNSAMPLED, UNSAMPLED),
        # a later version is read as far as this one goes, and passed on as this one
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", SAMPLED),
        (f"cc-{TRACE}-{SPAN}-09", SAMPLED),
        (f"00-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-03"),
        *[
            (wrong, "")
            for wrong in (
                "", "nonsense", SAMPLED.upper(), f"{SAMPLED}-more", f"{SAMPLED} ", f"{SAMPLED}, {SAMPLED}",
                f"{SAMPLED}\n", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
                f"cc-{TRACE}-{SPAN}-01.x", f"00-{TRACE}-{SPAN}-\u0660\u0661",
            )
        ],
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_ignored(offered: str, accepted: str) -> None:
    assert accept_traceparent(offered) == accepted


def test_a_block_has_its_own_place_and_gives_the_old_one_back() -> None:
    with continued(SAMPLED):
        with span("inner"):
            assert traceparent() == SAMPLED
        with continued(""):
            assert traceparent() == ""
        with span("of two", parents=(SAMPLED, UNSAMPLED.replace("b7", "c8"))):
            assert traceparent() == "", "which of them would it be?"
        with span("of one, twice", parents=(UNSAMPLED, "", UNSAMPLED)):
            assert traceparent() == UNSAMPLED
        assert traceparent() == SAMPLED
    assert traceparent() == ""


@pytest.mark.parametrize(("place", "named"), [(SAMPLED, True), (UNSAMPLED, False), ("", False)])
def test_log_lines_name_a_trace_that_is_recorded(place: str, named: bool) -> None:
    with continued(place):
        line = with_trace(None, "info", {"event": "x"})
    assert line == ({"event": "x", "trace_id": TRACE, "span_id": SPAN} if named else {"event": "x"})
