"""A worker stays logged in to the database: Celery 5.7.0 alone would close its pool before and after each task."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from apps.core.queue.work_queue import TASKS, send_wake_up
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.users.commands import UserSnapshot
from tests.processes import Processes
from tests.waiting import wait_for


def logged_in() -> set[int]:
    """The ids of PostgreSQL's processes that serve this test's database; one that cleans up tables is none of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return {pid for (pid,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["events.deliver", "events.deliver_waiting"])
def test_from_one_task_to_the_next(processes: Processes, register: Callable[..., UserSnapshot], name: str) -> None:
    others = logged_in()
    processes.worker(queues=TASKS[name].queue, concurrency=1)

    def one_task(email: str) -> set[int]:
        register(email)
        fan_out()
        send_wake_up(TASKS[name])
        due = Delivery.objects.filter(waits=name == "events.deliver_waiting", due_at__isnull=False)
        wait_for(lambda: not due.exists(), "the task has done its work")
        return logged_in() - others

    first = one_task("first@example.com")
    assert first
    for number in range(3):
        assert first <= one_task(f"{number}@example.com")
