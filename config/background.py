"""Celery's worker and beat, as the image and `make run` start them; the options after the name go to Celery.

    python -m config.background worker -n events@%h -Q events -c 2
    python -m config.background beat --schedule /tmp/beat-schedule --pidfile=

A program of our own, so that the log is JSON from the first line on, and because Celery accepts signals before it can
handle them: one that comes while it starts is held back until it can.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from config.chosen import choose_settings

# a worker need not ask its neighbours anything: what to do stands in PostgreSQL
OPTIONS = {"worker": ("--without-gossip", "--without-mingle"), "beat": ()}
STOPPING = {signal.SIGTERM, signal.SIGINT}


def main(arguments: list[str]) -> None:
    """Run what the first of `arguments` names, with the rest as Celery's options."""
    if not arguments or arguments[0] not in OPTIONS:
        sys.exit("usage: python -m config.background worker|beat [OPTION …]")
    choose_settings("config.settings.production")
    hold_signals_back()
    from celery.bin.celery import main as celery  # noqa: PLC0415 - only now may it be interrupted

    name, *options = arguments
    sys.argv = ["celery", "--quiet", "-A", "config.celery", name, *OPTIONS[name], *options]
    sys.exit(celery())


def hold_signals_back() -> None:
    """Let SIGTERM and SIGINT wait until beat has its schedule, or a worker its pool, whose children accept them."""
    from celery import bootsteps, signals  # noqa: PLC0415 - as above
    from celery.worker import state  # noqa: PLC0415 - as above

    from config.celery import app  # noqa: PLC0415 - as above

    class TakesSignals(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def start(self, parent: Any) -> None:
            release()

    class EndsIfToldTo(bootsteps.StartStopStep):
        """Until it loops, which takes a pool that a signal has ended meanwhile for one that did not start."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            hold()
            state.maybe_shutdown()
            if parent.hub:
                parent.hub.call_soon(release)
            else:
                release()

        def stop(self, parent: Any) -> None:
            release()

    hold()
    app.steps["worker"].add(TakesSignals)
    app.steps["consumer"].add(EndsIfToldTo)
    signals.beat_init.connect(release)
    signals.worker_process_init.connect(release)


def hold() -> None:
    """Let SIGTERM and SIGINT wait from here on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def release(**_: Any) -> None:
    """Accept SIGTERM and SIGINT from here on; those that came meanwhile take effect now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


if __name__ == "__main__":
    main(sys.argv[1:])
