"""The picture of a trace: nothing overlaps, and everything is where and when it was."""

from __future__ import annotations

import random

from apps.core.telemetry.spans import KeptSpan
from apps.tour.traces import drawn
from apps.tour.waterfall import LABELS, WIDTH, Bar, Span, in_milliseconds, waterfall


def kept(name: str, process: str = "web@here:1", kind: str = "internal", **attributes: str) -> KeptSpan:
    return KeptSpan("0" * 31 + "1", "1" * 16, "", name, kind, process, 1.0, 2.0, attributes=attributes)


def overlap(one: Bar, other: Bar) -> bool:
    return one.y == other.y and one.left <= other.right and other.left <= one.right


def test_nothing_is_drawn_when_nothing_is_known() -> None:
    assert waterfall([]) is None


def test_time_goes_from_left_to_right_and_no_label_covers_another() -> None:
    dice = random.Random(7)
    spans = []
    for number in range(150):
        began = dice.randrange(10**9)
        spans.append(Span("name " * dice.randint(1, 5), f"lane {number % 4}", began, began + dice.randrange(10**8)))
    picture = waterfall(spans)
    assert picture
    bars = [bar for lane in picture.lanes for bar in lane.bars]
    assert len(bars) == len(spans)
    assert all(LABELS <= bar.x <= bar.x + bar.width <= WIDTH for bar in bars)
    assert not any(overlap(one, other) for place, one in enumerate(bars) for other in bars[:place])
    for lane in picture.lanes:
        assert all(lane.y <= bar.y < lane.y + lane.height for bar in lane.bars)
    assert [lane.y for lane in picture.lanes] == sorted(lane.y for lane in picture.lanes)


def test_a_span_stands_in_the_lane_of_what_did_it() -> None:
    assert drawn(kept("RegisterUser", **{"app.message": "command"})).lane == "web"
    assert drawn(kept("INSERT users_user", kind="client", **{"db.system.name": "postgresql"})).lane == "PostgreSQL"
    assert drawn(kept("GET /people", "worker io@here:2", "client")).lane == "other side"
    assert drawn(kept("deliver users.send_welcome_email", "worker io@here:2", "consumer")).lane == "worker io"


def test_a_span_leads_to_its_pattern() -> None:
    assert drawn(kept("RegisterUser", **{"app.message": "command"})).pattern == "service-layer"
    assert drawn(kept("GetUser", **{"app.message": "query"})).pattern == "cqrs"
    assert drawn(kept("publish user.created")).pattern == "event-bus"
    assert drawn(kept("breaker people")).pattern == "circuit-breaker"
    assert drawn(kept("POST /api/v1/users", kind="server")).pattern == "middleware"


def test_what_a_bar_is_comes_first_and_its_statement_stands_apart() -> None:
    statement = "WITH heads AS (SELECT 1)"
    picture = waterfall([Span("WITH events_delivery", "PostgreSQL", 0, 6_153_000, detail=statement)])
    assert picture
    (bar,) = picture.lanes[0].bars
    assert (bar.title, bar.detail) == ("PostgreSQL: WITH events_delivery, 6.15 ms", statement)


def test_times_are_read_in_milliseconds() -> None:
    assert [in_milliseconds(one) for one in (1_234, 848_100, 51_640_000, 308_900_000, 5_007_000_000)] == [
        "0.00123 ms",
        "0.848 ms",
        "51.6 ms",
        "309 ms",
        "5,007 ms",
    ]
