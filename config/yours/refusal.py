"""What these programs refuse: one clear line on stderr and a status that is not zero, before anything is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Refused(ValueError):
    """What was asked for cannot be done; the message says how to put it right."""


@dataclass
class Outcome:
    """How the block ended: 0, or 1 after a refusal."""

    status: int = 0


@contextmanager
def refusing() -> Iterator[Outcome]:
    """Say a Refused of the block on stderr, and keep the status."""
    outcome = Outcome()
    try:
        yield outcome
    except Refused as refused:
        outcome.status = 1
        print(refused, file=sys.stderr)
