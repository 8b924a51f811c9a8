"""A worker that is told to end lets go of its job at the next report, so that another goes on at once."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import billiard
from celery.signals import worker_process_init, worker_ready

from apps.jobs.run import stopping

# a signal that Celery does not use in a pool's children
TOLD = signal.SIGUSR2


@worker_process_init.connect
def listen(**_: Any) -> None:
    """Remember the signal; in a child."""
    signal.signal(TOLD, lambda *_: stopping.set())


@worker_ready.connect
def pass_on(**_: Any) -> None:
    """Tell the children, too; in the parent. Celery's own worker_shutting_down comes after the soft shutdown."""
    for number in signal.SIGTERM, signal.SIGQUIT:
        signal.signal(number, _telling(signal.getsignal(number)))


def _telling(handler: Any) -> Any:
    def handle(number: int, frame: Any) -> None:
        for pid in [child.pid for child in billiard.active_children() if child.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, TOLD)
        if callable(handler):
            handler(number, frame)

    return handle
