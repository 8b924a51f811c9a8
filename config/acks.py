"""A broker that takes no acknowledgement is gone, and the worker has to connect anew; Celery alone writes a line.

If all children of the pool are busy, kombu does not look at its connection to Valkey: it may take nothing more. If
the broker ends then, each acknowledgement fails, so it may never take anything again, and the worker waits for ever.
Seen with celery 5.7.0 and kombu 5.7.0; tests/faults/test_acknowledgements.py fails without this module.
"""

from __future__ import annotations

from typing import Any

from celery.signals import worker_ready
from celery.worker.request import Request

# the acknowledgement itself waits for the loop's next turn
LOOK_SECONDS = 0.5


class Acknowledged(Request):
    """What a worker knows of a task that it has received, until the broker knows that it has ended."""

    # of the worker's loop; a pool without one has none
    timer: Any = None

    def acknowledge(self) -> None:
        """Tell the broker that the task has ended."""
        super().acknowledge()
        if self.timer:
            self.timer.call_after(LOOK_SECONDS, lose_unless_told, (self.message,))


def lose_unless_told(message: Any) -> None:
    """Have the worker connect anew if its present connection did not take the acknowledgement of `message`.

    Raises ConnectionResetError, which is what Celery's loop takes for a lost connection.
    """
    # without the attribute it is RabbitMQ's, which notices by itself
    if not message.acknowledged and not getattr(message.channel, "closed", True):
        raise ConnectionResetError("the broker did not take an acknowledgement")


@worker_ready.connect
def take_timer(sender: Any, **_: Any) -> None:
    """Use the timer of the loop that begins, after each new connection."""
    Acknowledged.timer = sender.timer
