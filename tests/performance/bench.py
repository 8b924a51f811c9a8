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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from config.stack.wheels import ServiceError
from tests.performance import events_part, http_part, import_part, latency_part, webhooks_part
from tests.performance.options import Options, read_options
from tests.performance.report import Section, say, show, write_json
from tests.performance.stack import Stack, running

PARTS: dict[str, Callable[[Stack, Options], list[Section]]] = {
    "http": http_part.run_http,
    "layers": http_part.run_layers,
    "events": events_part.run_events,
    "webhooks": webhooks_part.run_webhooks,
    "latency": latency_part.run_latency,
    "import": import_part.run_import,
}


def about() -> dict[str, Any]:
    """The machine and the versions that the figures belong to."""
    packages = {name: version(name) for name in ("django", "djangorestframework", "celery", "psycopg", "redis")}
    load = os.getloadavg()[0]
    return {"python": platform.python_version(), "cores": os.cpu_count(), "load": round(load, 2)} | packages


def main() -> int:
    """Measure what was asked for; a part that fails is reported, and the others go on."""
    options = read_options(sys.argv[1:])
    # an exception, so that everything started is ended on the way out
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    run, began = about(), time.monotonic()
    say(", ".join(f"{name} {value}" for name, value in run.items()))
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
    if options.json:
        write_json(options.json, run | {"seconds": round(time.monotonic() - began)}, sections)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
