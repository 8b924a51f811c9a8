"""A line, the deliveries of one aggregate to one receiver, goes in order and in runs, whoever fails, dies or races."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from apps.core.bus import bus
from apps.events import deliveries, lines
from apps.events.bus import bulk
from apps.events.models import Delivery, OutboxEvent
from apps.events.relay import fan_out
from tests.core.racing import at_once, held_open, waiting_for_a_lock
from tests.events.steps import Check, Connect, Keep, Stepped, Turned, effects, outcomes, record, sql, step
from tests.waiting import wait_for

DUE = """
    UPDATE events_delivery SET due_at = statement_timestamp(), attempts = least(attempts, 5)
    WHERE id IN (SELECT id FROM events_delivery WHERE due_at IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED)"""


def fails_at(bad: set[int]) -> Check:
    def check(who: str, number: int) -> None:
        if number in bad:
            raise RuntimeError("not this one")

    return check


class TestRuns:
    def test_as_much_of_one_line_as_a_batch_holds_is_claimed_at_once(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(150))
        fan_out()
        assert len(deliveries._claim(lines.DIRECT, 100, 30)) == 100
        assert deliveries._claim(lines.DIRECT, 100, 30) == [], "the rest waits for these"

    def test_a_long_line_leaves_room_for_the_others(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(100))
        for number in range(4):
            step(f"other{number}", range(3))
        fan_out()
        claimed = defaultdict(list)
        for delivery in deliveries._claim(lines.DIRECT, 50, 30):
            claimed[delivery.aggregate].append(delivery.event.data["number"])
        assert claimed == {"ada": list(range(10))} | {f"other{number}": [0, 1, 2] for number in range(4)}

    def test_what_is_not_due_ends_it(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(10))
        fan_out()
        fifth = Delivery.objects.order_by("id")[4]
        sql("UPDATE events_delivery SET due_at = now() + interval '1 hour' WHERE id = %s", fifth.id)
        assert len(deliveries._claim(lines.DIRECT, 100, 30)) == 4

    def test_what_somebody_else_has_locked_ends_it_and_is_not_waited_for(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(10))
        fan_out()
        fifth = Delivery.objects.order_by("id")[4]
        locked = held_open(lambda: sql("SELECT FROM events_delivery WHERE id = %s FOR SHARE", fifth.id))
        with locked, transaction.atomic():
            sql("SET LOCAL lock_timeout = '1ms'")
            assert len(lines.claim_runs(lines.DIRECT, 100, 30)) == 4
        assert lines.claim_runs(lines.DIRECT, 100, 30) == [], "the rest waits for these"

    def test_bulk_and_people_s_keep_their_places(self, connect: Connect) -> None:
        connect("runner")
        for number in range(6):
            with bulk() if number % 2 else transaction.atomic():
                step("ada", [number])
            fan_out()
        deliveries.work(seconds=5)
        assert effects() == list(range(6))

    @pytest.mark.parametrize("many", [False, True])
    def test_types_that_alternate_keep_their_places(self, connect: Connect, many: bool) -> None:
        connect("runner", heard=None, many=many)
        for number in range(6):
            step("ada", [number], Turned if number % 2 else Stepped)
            step(f"other{number}", [number])
        fan_out()
        deliveries.work(seconds=5)
        mine = [number for (number,) in sql("SELECT number FROM effects WHERE who = 'ada' ORDER BY id")]
        assert mine == list(OutboxEvent.objects.filter(aggregate="ada").order_by("id").values_list("id", flat=True))


class TestOneFails:
    @pytest.mark.parametrize(("waits", "many"), [(False, False), (False, True), (True, False)])
    def test_those_behind_it_wait_uncounted(
        self, connect: Connect, waits: bool, many: bool, make_due: Callable[[], None]
    ) -> None:
        bad = {3}
        connect("runner", fails_at(bad), waits=waits, many=many)
        step("ada", range(6))
        fan_out()

        def work() -> None:
            deliveries.work(seconds=5)
            deliveries.work_waiting(seconds=5, threads=2)

        work()
        assert effects() == [0, 1, 2]
        assert outcomes() == [("delivered", 1)] * 3 + [("failed", 1)] + [("pending", 0)] * 2
        bad.clear()
        make_due()
        work()
        assert effects() == list(range(6))
        assert outcomes() == [("delivered", 1)] * 3 + [("delivered", 2)] + [("delivered", 1)] * 2

    def test_an_answer_that_is_not_kept_holds_back_those_behind_it(
        self, connect: Connect, make_due: Callable[[], None]
    ) -> None:
        connect("runner", waits=True)
        step("ada", range(6))
        fan_out()

        def refuse(command: Keep) -> None:
            if command.number == 3:
                raise ValueError("not this one")
            record(command)

        with bus.replaced(Keep, refuse):
            deliveries._work_off(deliveries._claim_waiting(6), float("inf"))
        assert effects() == [0, 1, 2]
        assert outcomes() == [("delivered", 1)] * 3 + [("failed", 1)] + [("pending", 0)] * 2
        make_due()
        deliveries.work_waiting(seconds=5, threads=2)
        assert effects() == list(range(6))

    def test_a_dead_one_makes_way(self, connect: Connect) -> None:
        connect("runner", fails_at({0}))
        step("ada", range(3))
        fan_out()
        Delivery.objects.filter(event__data__number=0).update(attempts=deliveries.BACKOFF.max_attempts - 1)
        deliveries.work(seconds=5)
        assert effects() == [1, 2]

    def test_one_that_failed_before_goes_before_what_is_new(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(6))
        fan_out()
        Delivery.objects.filter(event__data__number__in=[0, 3]).update(attempts=1)
        deliveries.work(seconds=5)
        assert effects() == list(range(6))


class TestWorkers:
    def test_one_that_was_thought_dead_in_the_middle_keeps_nothing_more(
        self, connect: Connect, make_due: Callable[[], None]
    ) -> None:
        claimed: list[Delivery] = []

        def take_over(_: int) -> None:
            make_due()
            # only what the first is at: the rest still has the first one's token
            claimed.extend(deliveries._claim(lines.DIRECT, 1, 30))

        def overtaken(who: str, number: int) -> None:
            if number == 2 and not claimed:
                assert at_once(1, take_over) == [None]

        connect("runner", overtaken)
        step("ada", range(6))
        fan_out()
        mine = deliveries._claim(lines.DIRECT, 6, 30)
        assert deliveries._deliver_singly(mine) == {lines.line_of(mine[0])}
        assert effects() == [0, 1]
        (theirs,) = claimed
        deliveries.deliver(theirs)
        deliveries.work(seconds=5)
        assert effects() == list(range(6))


class TestTheMark:
    """What is behind another is not looked for, and is never left behind."""

    def behind(self) -> list[bool]:
        return list(Delivery.objects.order_by("id").values_list("behind", flat=True))

    def test_a_line_has_one_head(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(3))
        fan_out()
        step("ada", range(3, 6))
        step("bob", [0])
        fan_out()
        assert self.behind() == [False] + [True] * 5 + [False]

    def test_one_that_is_deleted_makes_way(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(3))
        fan_out()
        sql("DELETE FROM events_delivery WHERE id = (SELECT min(id) FROM events_delivery)")
        deliveries.work(seconds=5)
        assert effects() == [1, 2]

    def test_what_was_fanned_out_before_counts_for_nothing(self, connect: Connect) -> None:
        connect("runner")
        step("ada", range(2))
        fan_out(limit=1)
        deliveries.work(seconds=5)
        sql("UPDATE events_outboxevent SET position = NULL")
        fan_out()
        deliveries.work(seconds=5)
        assert effects() == [0, 1]

    def test_a_worker_that_settles_while_the_relay_adds_sees_what_it_added(self, connect: Connect) -> None:
        connect("runner")
        step("ada", [0])
        fan_out()
        mine = deliveries._claim(lines.DIRECT, 1, 30)
        step("ada", [1])

        with ThreadPoolExecutor(1) as pool:
            with held_open(fan_out):
                settled = pool.submit(at_once, 1, lambda _: deliveries.deliver(mine[0]))
                wait_for(waiting_for_a_lock, "the worker waits for what the relay has locked")
            assert settled.result(30) == [None]
        deliveries.work(seconds=5)
        assert effects() == [0, 1]

    def test_the_relay_does_not_wait_for_a_worker_that_settles(self, connect: Connect) -> None:
        connect("runner")
        step("ada", [0])
        fan_out()
        mine = deliveries._claim(lines.DIRECT, 1, 30)
        step("ada", [1])
        with held_open(lambda: lines.mark_delivered(mine)):
            assert fan_out() == 1
        deliveries.work(seconds=5)
        assert effects() == [1]


class TestRaces:
    """Workers, relays, expired leases and failures all at once; from a seed, as far as threads allow."""

    chance = random.Random(7)

    def moody(self, who: str, number: int) -> None:
        if self.chance.random() < 0.05:
            raise RuntimeError("not now")

    def record_or_not(self, command: Keep) -> None:
        record(command)
        self.moody("", 0)

    def work(self, number: int) -> None:
        unsequenced, due = OutboxEvent.objects.filter(position=None), Delivery.objects.filter(due_at__isnull=False)
        while unsequenced.exists() or due.exists():
            fan_out(limit=17)
            if number == 0:
                # as time would: attempts come due, and leases run out in mid-work
                sql(DUE)
            if number % 2:
                deliveries.work_waiting(seconds=0.2, threads=2)
            else:
                deliveries.work(seconds=0.2)

    def test_each_is_told_once_and_in_order(self, connect: Connect) -> None:
        connect("direct", self.moody)
        connect("together", self.moody, many=True)
        connect("remote", self.moody, waits=True)
        people, steps = 8, 24
        for start in range(0, steps, 8):
            for who in range(people):
                with bulk() if (who + start) % 3 else transaction.atomic():
                    step(f"p{who}", range(start, start + 8))
        with bus.replaced(Keep, self.record_or_not):
            assert at_once(3, self.work) == [None] * 3
        told: dict[tuple[str, str], list[int]] = defaultdict(list)
        for receiver, who, number in sql("SELECT receiver, who, number FROM effects ORDER BY id"):
            told[receiver, who].append(number)
        assert len(told) == 3 * people
        assert {tuple(numbers) for numbers in told.values()} == {tuple(range(steps))}
        assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
