"""The event bus with a single receiver, which does nothing: what relay and worker cost by themselves.

python -m tests.performance.noop                                  # the relay
celery -A tests.performance.noop worker -Q events -c 2            # a worker
"""

from __future__ import annotations

from importlib import import_module

import django
from celery import Celery
from django.core.management import call_command


def prepare() -> Celery:
    """Set Django up, leave the event bus only the receiver of noop_receiver.py; returns the service's Celery."""
    django.setup()
    from apps.events.bus import RECEIVERS
    from config.celery import app as service

    RECEIVERS.clear()
    import_module("tests.performance.noop_receiver")
    return service


app = prepare()

if __name__ == "__main__":
    call_command("relay")
