"""What each pattern costs: `make bench`, or `python -m tests.performance.bench --help`.

Nothing here passes or fails. The machine is shared and its clock is not: quote ratios from one run.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from config.stack.wheels import ServiceError
from tests.performance import (
    documents,
    durations,
    events_part,
    growth_part,
    http_part,
    import_part,
    latency_part,
    steady_part,
    traces_part,
    webhooks_part,
    workers_part,
)
from tests.performance.meter import best_meter
from tests.performance.options import Options, read_options
from tests.performance.report import Section, say, show
from tests.performance.stack import Stack, running

PARTS: dict[str, Callable[[Stack, Options], list[Section]]] = {
    "http": http_part.run_http,
    "layers": http_part.run_layers,
    "traces": traces_part.run_traces,
    "events": events_part.run_events,
    "webhooks": webhooks_part.run_webhooks,
    "latency": latency_part.run_latency,
    "import": import_part.run_import,
    "growth": growth_part.run_growth,
    "workers": workers_part.run_workers,
    "steady": steady_part.run_steady,
}


def about() -> dict[str, Any]:
    """The machine and the versions that the figures belong to."""
    packages = {name: version(name) for name in ("django", "djangorestframework", "celery", "psycopg", "redis")}
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "machine": _processor()}
    return {"date": time.strftime("%Y-%m-%d"), "python": platform.python_version()} | machine | packages


def _processor() -> str:
    """The processor's name as the kernel knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.system()} on {names[0] if names else platform.machine()}"


def main() -> int:
    """Measure what was asked for; a part that fails is reported, and the others go on."""
    options = read_options(sys.argv[1:])
    # an exception, so that everything started is ended on the way out
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    run, began = about() | {"quick": options.quick}, time.monotonic()
    say(", ".join(f"{name} {value}" for name, value in run.items()))
    say(f"{', '.join(options.only)}: {durations.in_words(durations.expected(options))} if nothing else runs here")
    say(f"http and layers measure {best_meter().name}, the minimum of interleaved rounds")
    sections: list[Section] = []
    failed = 0
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, running(Path(folder)) as stack:
            for name in options.only:
                try:
                    found = PARTS[name](stack, options)
                except (RuntimeError, OSError) as error:
                    say(f"{name} was not measured: {error}")
                    failed += 1
                    continue
                sections += found
                for section in found:
                    show(section)
    except ServiceError as error:
        say(str(error))
        return 1
    say(f"{time.monotonic() - began:.0f} s")
    _keep(options, run | {"seconds": round(time.monotonic() - began)}, sections, failed=failed)
    return 1 if failed else 0


def _keep(options: Options, run: dict[str, Any], sections: list[Section], *, failed: int) -> None:
    """Write the run where it was asked for."""
    found = {section.name: asdict(section) for section in sections}
    if options.json:
        documents.write_json(options.json, {"run": run, "sections": found})
    if options.record:
        documents.keep(run, found, whole=options.whole and not failed)


if __name__ == "__main__":
    sys.exit(main())
