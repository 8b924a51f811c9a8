"""Repository: workers that change one row at the same time, and a use case whose second step fails."""

from __future__ import annotations

import threading
from contextlib import suppress

from apps.core.bus import unit_of_work
from apps.core.errors import VersionConflict
from apps.users.errors import EmailTaken
from apps.users.models import User
from apps.users.repositories import DjangoUsers
from config.compare.naive.repository import Repository
from config.compare.outcome import Comparison, Figures, only_naive_has
from config.compare.processes import in_threads
from config.compare.world import fresh

WORKERS, ROUNDS = 4, 5


def _ada(email: str = "ada@example.com") -> User:
    return User(email=email, name="", password="!")  # noqa: S106 # fits no password


def naive() -> Figures:
    """Each worker reads, adds a letter to the name and writes; all have read before the first one writes."""
    fresh()
    repository = Repository(User)
    made = repository.create(_ada())
    all_have_read = threading.Barrier(WORKERS, timeout=60)

    def add_letters(_: int) -> None:
        for _ in range(ROUNDS):
            row = repository.get(made.id)
            all_have_read.wait()
            if row:
                repository.update(row, name=row.name + "x")
            # nobody reads the next round's row before everybody has written this one's
            all_have_read.wait()

    in_threads(WORKERS, add_letters)
    lost = WORKERS * ROUNDS - len(User.objects.get(id=made.id).name)

    def two_steps() -> None:
        repository.create(_ada("first@example.com"))
        raise EmailTaken

    with suppress(EmailTaken):
        two_steps()
    return {"updates": WORKERS * ROUNDS, "updates_lost": lost, "half_a_use_case_kept": _kept()}


def ours() -> Figures:
    """The same with the users' repository: a stale write is refused, so the worker reads again."""
    fresh()
    users = DjangoUsers()
    made = users.create(_ada())
    all_have_read = threading.Barrier(WORKERS, timeout=60)

    def add_letters(_: int) -> int:
        conflicts = 0
        for _ in range(ROUNDS):
            row = users.get(made.id)
            all_have_read.wait()
            while True:
                try:
                    users.update(row, name=row.name + "x")
                    break
                except VersionConflict:
                    conflicts += 1
                    row = users.get(made.id)
            all_have_read.wait()
        return conflicts

    conflicts = sum(in_threads(WORKERS, add_letters))
    lost = WORKERS * ROUNDS - len(users.get(made.id).name)

    def two_steps() -> None:
        with unit_of_work():
            users.create(_ada("first@example.com"))
            raise EmailTaken

    with suppress(EmailTaken):
        two_steps()
    return {
        "updates": WORKERS * ROUNDS,
        "updates_lost": lost,
        "stale_writes_refused": conflicts,
        "half_a_use_case_kept": _kept(),
    }


def _kept() -> int:
    return User.objects.filter(email="first@example.com").count()


COMPARISON = Comparison(
    promise="Of two who change the same row neither overwrites the other unseen, and a use case is kept whole or not.",
    headline="updates_lost",
    naive=naive,
    ours=ours,
    kept=only_naive_has("updates_lost", "half_a_use_case_kept"),
    note="A refused write is no loss: its author reads the row again and repeats the change.",
)
