"""Event bus: 100 registrations, while the process that does the work is killed again and again.

Each process is to register five people and to do what follows. It is killed (SIGKILL, by itself) at one of its steps; a
step is a statement or a mail. Which one is drawn from a shuffled deck with a card for each step, so that the draw is
random, and yet some of the kills come at a bad moment. The next process goes on, until 100 people are registered.
"""

from __future__ import annotations

import os
import random
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.core.mail import EmailMessage
from django.db import connection
from django.test import override_settings

from apps.core.bus import bus
from apps.events import deliveries
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import RegisterUser
from apps.users.models import User
from config.compare.naive import event_bus
from config.compare.outcome import Comparison, Figures, only_naive_has
from config.compare.processes import Forked
from config.compare.world import fresh

REGISTRATIONS, IN_A_LIFE = 100, 5
TO = re.compile(r"^To: (\S+)$", re.MULTILINE)
END_LEASES = "UPDATE events_delivery SET due_at = statement_timestamp() WHERE due_at IS NOT NULL"
Live = Callable[[list[str]], None]


def naive() -> Figures:
    """A process registers, and calls the handlers after the commit."""

    def live(emails: list[str]) -> None:
        for email in emails:
            event_bus.register(email, "Ada")

    return _count(live, lambda: None)


def ours() -> Figures:
    """A process registers, relays what is in the outbox, and delivers it; it may be killed in any of these."""

    def live(emails: list[str]) -> None:
        for email in emails:
            bus.execute(RegisterUser(email, "Ada"))
        _work_off()

    def finish() -> None:
        # what a killed process had claimed falls due when its lease ends
        while Delivery.objects.exclude(due_at=None).exists() or fan_out():
            with connection.cursor() as cursor:
                cursor.execute(END_LEASES)
            _work_off()

    return _count(live, finish)


def _work_off() -> None:
    fan_out()
    deliveries.work(seconds=60)
    deliveries.work_waiting(seconds=60)


def _count(live: Live, finish: Callable[[], None]) -> Figures:
    fresh()
    with tempfile.TemporaryDirectory() as mails, override_settings(EMAIL_FILE_PATH=mails):
        # in this process: what it compiles for later, the others need not compile again
        steps = _steps(live, _people(0))
        lives, kills, deck = 1, 0, list[int]()
        while User.objects.count() < REGISTRATIONS:
            deck = deck or random.sample(range(1, steps + 1), steps)
            life = Forked(_killed_at, deck.pop(), live, _people(lives))
            lives += 1
            kills += life.ended() == -signal.SIGKILL
        Forked(finish).answer()
        greeted = {email for file in Path(mails).iterdir() for email in TO.findall(file.read_text())}
    users = set(User.objects.values_list("email", flat=True))
    lost = users - greeted
    without_profile = set(User.objects.filter(profile=None).values_list("email", flat=True))  # of profiles
    lost |= without_profile  # of profiles
    return {
        "registrations_committed": len(users),
        "times_killed": kills,
        "events_lost": len(lost),
        "people_without_a_profile": len(without_profile),  # of profiles
        "people_never_greeted": len(users - greeted),
    }


def _people(life: int) -> list[str]:
    return [f"user{life}-{number}@example.com" for number in range(IN_A_LIFE)]


def _steps(live: Live, emails: list[str]) -> int:
    """How many steps a life has that nobody ends."""
    taken = [0]

    def count() -> None:
        taken[0] += 1

    with _each_step(count):
        live(emails)
    return taken[0]


def _killed_at(last: int, live: Live, emails: list[str]) -> None:
    left = [last]

    def die_in_time() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    with _each_step(die_in_time):
        live(emails)


@contextmanager
def _each_step(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` before each statement and each mail of the block."""
    send = EmailMessage.send

    def execute(run: Callable[..., Any], *args: Any) -> Any:
        act()
        return run(*args)

    def send_after(message: EmailMessage, **options: Any) -> int:
        act()
        return send(message, **options)

    with connection.execute_wrapper(execute), patch.object(EmailMessage, "send", send_after):
        yield


COMPARISON = Comparison(
    promise="What follows from a committed change happens, whenever a process is killed.",
    headline="events_lost",
    naive=naive,
    ours=ours,
    kept=only_naive_has("events_lost"),
    note=(
        "Each process is killed once: the earlier in its work, the fewer people it has registered, and the more"
        " processes 100 of them take."
    ),
)
