"""The job behind POST /users/me/export: everything that is kept about its owner, as JSON."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import orjson

from apps.core.bus import bus
from apps.core.personal import HOLDINGS, Holding, Person
from apps.jobs.kinds import JobError, Run
from apps.users.queries import GetPerson

# of each holding, and of the whole export: the newest come first, and what is left out is said
MOST_ROWS, MOST_BYTES = 10_000, 10 * 1024 * 1024


def run_export(run: Run) -> dict[str, Any]:
    """`{made_at, holdings: {NAME: {rows, left_off}}}`; `left_off` says that there is more than an export may have."""
    owner = run.job.owner_id
    person = bus.ask(GetPerson(owner)) if owner else None
    if person is None:
        raise JobError("The user whose data this was to be is gone.")
    told: dict[str, Any] = {}
    left = MOST_BYTES
    for done, holding in enumerate(HOLDINGS.values(), 1):
        if holding.tell:
            rows, size, left_off = _told(holding, person, left)
            left -= size
            told[holding.name] = {"rows": rows, "left_off": left_off}
        run.report(done, len(HOLDINGS))
    return {"made_at": run.began_at.isoformat() if run.began_at else None, "holdings": told}


def _told(holding: Holding, person: Person, left: int) -> tuple[list[Any], int, bool]:
    """The rows of `holding` as JSON has them, up to `left` bytes; how many bytes these are, and if there are more."""
    rows: list[Any] = []
    size = 0
    if holding.tell is None:
        return rows, size, False
    for number, row in enumerate(islice(holding.tell(person), MOST_ROWS + 1)):
        text = orjson.dumps(row, default=_plain)
        if number == MOST_ROWS or size + len(text) > left:
            return rows, size, True
        size += len(text)
        rows.append(orjson.loads(text))
    return rows, size, False


def _plain(value: object) -> str:
    if isinstance(value, datetime | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
