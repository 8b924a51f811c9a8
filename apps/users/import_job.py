"""The job behind POST /users/import, which the admin's page starts too: an import that goes on from its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from apps.core.refused_lines import Refusal
from apps.jobs.kinds import JobError, Run
from apps.users.imports import NotImportable, Tally, import_users


def run_import(run: Run) -> dict[str, Any]:
    """`{total, created, rejected, errors, duplicates}`.

    Every refused line is kept with the job, and `errors` lists the first thousand of them.
    """
    tally = Tally(**run.checkpoint) if run.checkpoint else Tally()

    def report(tally: Tally, refused: Sequence[Refusal]) -> None:
        run.refuse(refused)
        run.report(tally.total, checkpoint=asdict(tally))

    charset = run.input.get("charset", "utf-8")
    try:
        return asdict(import_users(run.upload(), run.input["kind"], tally, report, run.began_at, charset))
    except NotImportable as error:
        raise JobError(str(error)) from None
