"""Part 6: how many users a second an import takes in, by `manage.py import_users` and over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from config.stack.plan import ROOT
from tests.performance.options import Options
from tests.performance.report import Section, Value, say
from tests.performance.stack import Part, Stack, people_csv
from tests.performance.upload_part import upload_rows

COMMAND = "apps/*/management/commands/import_users.py"
KIB_PER_MIB = 1024
# the peak of a process includes that of the one it was started by, so a small one stands between the bench and it
MEASURED = """
import json, resource, subprocess, sys, time
start = time.monotonic()
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


@dataclass(frozen=True)
class Taken:
    """What a run took: seconds of time and of CPU, and its peak of resident memory in MiB."""

    seconds: float
    cpu: float
    rss: float


def run_import(stack: Stack, options: Options) -> list[Section]:
    """Import a file of one row, for the cost of the start, then a large one."""
    if not any(ROOT.glob(COMMAND)):
        rows: list[dict[str, Value]] = [{"rows": 0, "rows/s": "not there yet"}]
        return [Section("import", "6. Import", rows, ["There is no manage.py import_users yet."])]
    say(f"import: {options.import_rows} rows")
    part = stack.part("import")
    start, whole = _run(part, "one", 1), _run(part, "many", options.import_rows)
    rows = [
        {
            "how": "manage.py import_users",
            "rows": options.import_rows,
            "users": part.users() - 1,
            "s": whole.seconds,
            "start-up s": start.seconds,
            "rows/s": options.import_rows / max(whole.seconds - start.seconds, 0.001),
            "CPU µs a row": (whole.cpu - start.cpu) / options.import_rows * 1e6,
            "MiB at most": whole.rss,
            "MiB grown": whole.rss - start.rss,
        },
        *upload_rows(stack, options.import_rows),
    ]
    notes = [
        "The whole command; its start-up is taken off rows/s and CPU. Every user with an event in the outbox.",
        "POST /users/import: from the request to the end of the job, in a worker.",
    ]
    return [Section("import", "6. Import", rows, notes)]


def _run(part: Part, name: str, count: int) -> Taken:
    file = part.folder / f"{name}.csv"
    file.write_text(people_csv(name, count))
    return _timed(part, file)


def _timed(part: Part, file: Path) -> Taken:
    command = [sys.executable, "-c", MEASURED, sys.executable, "manage.py", "import_users", str(file)]
    log = part.folder / f"{file.stem}.log"
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=ROOT, env=part.environment(), stdout=subprocess.PIPE, stderr=output, check=True
        )
    status, seconds, cpu, kib = json.loads(done.stdout)
    if status:
        raise RuntimeError(f"import_users failed:\n{log.read_text(errors='replace')[-2000:]}")
    return Taken(seconds, cpu, kib / KIB_PER_MIB)
