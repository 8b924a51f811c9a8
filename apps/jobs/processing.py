"""The job behind POST /process: column statistics."""

from __future__ import annotations

from typing import Any

from apps.jobs.run import Run
from apps.jobs.statistics import Statistics

BATCH_ROWS = 1000


def process_rows(run: Run) -> dict[str, Any]:
    """Statistics of `input["rows"]`, reporting after each batch."""
    rows = run.input["rows"]
    statistics = Statistics()
    for start in range(0, len(rows), BATCH_ROWS):
        statistics.add(rows[start : start + BATCH_ROWS])
        run.report(statistics.rows, total=len(rows))
    return statistics.result()
